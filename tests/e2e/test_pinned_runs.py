"""A run executes the definition that it started with, whatever is edited meanwhile."""

from collections.abc import Callable
from typing import Any

from tests.e2e.conftest import Deployment, begins_with
from tests.polling import poll
from tests.postgres import Session

Finished = Callable[..., dict[str, Any]]


def begin_a_run_that_waits_at_a_gate(deployment: Deployment, _: Session) -> Any:
    # Each step runs in a process of its own, which loads the definitions anew.
    sql, gate = deployment.parallel_sql, deployment.folder / "gate of edited"
    sql("select pgflow.create_flow('edited')")
    sql("select pgflow.add_step('edited', 'wait', handler => 'wait_for_file', timeout => 400)")
    sql("select pgflow.add_step('edited', 'last', array['wait'], handler => 'process_id')")
    start = f"""select run_id from pgflow.start_flow('edited', '{{"file": "{gate}"}}')"""
    return start, sql.value(start), gate


@begins_with(begin_a_run_that_waits_at_a_gate)
def test_a_run_under_way_finishes_on_its_own_version(
    deployment: Deployment, begun: Any, finished: Finished
) -> None:
    sql, dagster, (start, first, gate) = deployment.parallel_sql, deployment.dagster, begun
    waiting = (
        "select 1 from pgflow.step_states"
        " where run_id = %s and step_slug = 'wait' and status = 'started'"
    )
    poll(lambda: sql(waiting, first))

    sql("select pgflow.add_step('edited', 'added', array['last'], handler => 'process_id')")
    poll(lambda: len(dagster.steps("edited", "parallel", "parallel")) == 3)
    gate.touch()
    second = sql.value(start)

    old, new = finished(sql, first), finished(sql, second)
    assert (old["status"], list(old["output"])) == ("completed", ["last"])
    assert (new["status"], list(new["output"])) == ("completed", ["added"])
    assert new["flow_version"] == old["flow_version"] + 1
    steps = "select step_slug from pgflow.step_states where run_id = %s order by 1"
    assert sql.column(steps, first) == ["last", "wait"]
    assert sql.column(steps, second) == ["added", "last", "wait"]
    process_ids = sql.column(
        "select output from pgflow.step_states where step_slug <> 'wait' and run_id = %s", second
    )
    assert len(set(process_ids)) == 2
