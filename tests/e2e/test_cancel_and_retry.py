"""Runs that are cancelled and go on from the command line, in a Dagster with queue and daemon."""

import json
from collections.abc import Callable
from typing import Any

from tests.e2e.conftest import Deployment, begins_with
from tests.polling import poll
from tests.postgres import Session

Finished = Callable[..., dict[str, Any]]


def begin_a_flow_with_a_step_that_nobody_handles(deployment: Deployment, _: Session) -> Any:
    sql = deployment.parallel_sql
    sql("select pgflow.create_flow('mended', max_attempts => 1)")
    sql("select pgflow.add_step('mended', 'first', handler => 'process_id')")
    sql("select pgflow.add_step('mended', 'last', array['first'], handler => 'nobody')")
    return sql.value("select run_id from pgflow.start_flow('mended')")


@begins_with(begin_a_flow_with_a_step_that_nobody_handles)
def test_a_failed_run_goes_on_once_its_flow_is_mended(
    deployment: Deployment, begun: Any, finished: Finished
) -> None:
    sql, first = deployment.parallel_sql, begun
    assert finished(sql, first)["status"] == "failed"
    output = "select output from pgflow.step_states where run_id = %s and step_slug = 'first'"

    sql("update pgflow.steps set handler = 'process_id' where step_slug = 'last'")
    result = deployment.call(sql, "retry", str(first)[:8], "--wait", "--timeout", "1500", "--json")

    assert result.returncode == 0, result.stderr
    run = json.loads(result.stdout)
    assert (run["status"], run["retry_of"], run["flow_version"]) == ("completed", str(first), 4)
    assert sql.value(output, run["run_id"]) == sql.value(output, first)
    assert f"retry of {str(first)[:8]}" in deployment.call(sql, "status", "--flow", "mended").stdout


def begin_a_run_that_waits_at_a_gate(deployment: Deployment, _: Session) -> Any:
    sql, gate = deployment.parallel_sql, deployment.folder / "gate of stopped"
    sql("select pgflow.create_flow('stopped')")
    sql("select pgflow.add_step('stopped', 'wait', handler => 'wait_for_file', timeout => 400)")
    start = f"""select run_id from pgflow.start_flow('stopped', '{{"file": "{gate}"}}')"""
    return sql.value(start), gate


@begins_with(begin_a_run_that_waits_at_a_gate)
def test_a_run_under_way_is_cancelled_and_goes_on(
    deployment: Deployment, begun: Any, finished: Finished
) -> None:
    sql, (first, gate) = deployment.parallel_sql, begun
    # Dagster 1.13 may call a run failed whose step is stopped while its process is starting.
    at_work = "select 1 from pgflow.step_states where run_id = %s and status = 'started'"
    poll(lambda: sql(at_work, first))

    result = deployment.call(sql, "cancel", str(first))
    assert result.returncode == 0, result.stderr
    assert finished(sql, first)["status"] == "cancelled"
    assert "is over: it was cancelled" in deployment.call(sql, "cancel", str(first)).stderr

    gate.touch()
    result = deployment.call(sql, "retry", str(first), "--wait", "--timeout", "1500")
    assert result.returncode == 0, result.stderr
    assert "of flow stopped completed in" in result.stderr
