"""cancel, in the store and in a real Dagster."""

from collections.abc import Iterator
from pathlib import Path
from uuid import UUID, uuid4

import dagster as dg
import pytest

from dagster_pgflow.cli import cancel
from dagster_pgflow.location.location import Location
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.names import TAG_RUN_ID
from dagster_pgflow.store.database import Database
from dagster_pgflow.store.flows import FlowBuilder
from dagster_pgflow.store.requests import Requests
from tests.polling import poll
from tests.postgres import Session
from tests.unit.cli.conftest import Cli
from tests.unit.cli.running_dagster import RunningDagster, dagster_in

FLOW = Flow("f").step("a", handler="endless", timeout=300)


@pytest.fixture
def run_id(builder: FlowBuilder, requests: Requests) -> UUID:
    """A request that nobody has begun."""
    builder.define_flow(FLOW)
    return requests.start("f", {})


@pytest.fixture
def dagster(
    cli: Cli,
    database: Database,
    sql: Session,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[RunningDagster]:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    with dagster_in(tmp_path, database, sql) as dagster:
        yield dagster


def offered(database: Database, instance: dg.DagsterInstance) -> list[str | None]:
    """Returns the requests that a sensor gives to Dagster."""
    location = Location({"database_url": database.address.dsn, "handlers": [{"endless": print}]})
    sensor = location.sensors()["pgflow_requests"]()
    tick = sensor.evaluate_tick(dg.build_sensor_context(instance=instance))
    return [request.run_key for request in tick.run_requests]


def test_a_request_that_nobody_has_begun_is_taken_back_without_dagster(
    cli: Cli, run_id: UUID, sql: Session, database: Database
) -> None:
    result = cli("cancel", str(run_id)[:8])
    assert (result.exit_code, result.stdout) == (0, f"Run {run_id} of flow f is cancelled.\n")
    [run] = sql.records("select status, error_message, failed_at from pgflow.runs")
    assert (run["status"], run["error_message"]) == ("cancelled", cancel.REASON)
    assert run["failed_at"] is not None
    with dg.DagsterInstance.ephemeral() as instance:
        assert offered(database, instance) == []


def test_a_run_that_waits_is_ended_by_who_would_go_on_with_it_which_needs_no_dagster(
    cli: Cli, run_id: UUID, sql: Session
) -> None:
    sql("update pgflow.runs set status = 'waiting', dagster_run_id = %s", str(uuid4()))
    for _ in range(2):
        result = cli("cancel", str(run_id)[:8])
        assert (result.exit_code, result.stderr.count("shows when it has ended")) == (0, 1)
        assert result.stdout == f"Run {run_id} of flow f is being cancelled.\n"
    assert sql("select number, kind from pgflow.run_continuations") == [(1, "cancel")]


def test_a_run_that_is_over_is_not_cancelled(cli: Cli, run_id: UUID, sql: Session) -> None:
    cli("cancel", str(run_id))
    again = cli("cancel", str(run_id))
    assert (again.exit_code, again.stdout) == (1, "")
    assert f"Run {run_id} of flow f is over: it was cancelled at 2" in again.stderr
    sql("update pgflow.runs set status = 'completed', completed_at = now()")
    assert "is over: it completed at 2" in cli("cancel", str(run_id)).stderr
    assert "There is no run" in cli("cancel", "00000000").stderr


def test_a_request_that_is_handed_over_needs_dagster(
    cli: Cli, run_id: UUID, requests: Requests, sql: Session
) -> None:
    requests.hand_over([run_id])
    result = cli("cancel", str(run_id))
    assert (result.exit_code, "DAGSTER_HOME is not set" in result.stderr) == (1, True)
    assert sql.column("select status from pgflow.runs") == ["queued"]


def test_a_request_whose_run_was_lost_is_cancelled_for_good(
    dagster: RunningDagster, cli: Cli, run_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cancel, "ON_ITS_WAY_S", 0.1)
    database, instance = dagster.world.database, dagster.world.instance
    assert offered(database, instance) == [str(run_id)]
    assert cli("cancel", str(run_id)).exit_code == 0
    assert dagster.row(run_id)["status"] == "cancelled"
    assert offered(database, instance) == []


def test_a_request_that_is_taken_back_during_a_tick_is_not_handed_over(
    run_id: UUID, requests: Requests
) -> None:
    [waiting] = requests.pending(10)
    assert requests.take_back(run_id, "Not now.")
    assert requests.hand_over([waiting.run_id]) == frozenset()
    assert not requests.take_back(run_id, "Again.")


def test_a_run_that_dagster_executes_ends_there(
    dagster: RunningDagster, cli: Cli, run_id: UUID
) -> None:
    with dagster.serving():
        dagster_run_id = dagster.launch("f", run_id)
        poll((dagster.folder / "begun").exists)
        # The sensors have not seen it yet, so only Dagster knows.
        dagster.world.waiting.hand_over([run_id])
        result = cli("cancel", str(run_id))
        assert (result.exit_code, result.stderr) == (0, "")
        assert dagster.ended(dagster_run_id) == "CANCELED"
    assert dagster.row(run_id)["status"] == "cancelled"
    assert dagster.world.by_path("status") == {"a": "cancelled"}


def test_a_run_whose_process_is_gone_is_cancelled_by_force(
    dagster: RunningDagster, cli: Cli, run_id: UUID
) -> None:
    instance = dagster.world.instance
    job = dagster.world.job("f", {"endless": print})
    with instance:
        run = instance.create_run_for_job(
            job, status=dg.DagsterRunStatus.STARTED, tags={TAG_RUN_ID: str(run_id), **job.tags}
        )
        dagster.world.project()
        assert dagster.row(run_id)["dagster_run_id"] == run.run_id
        refused = cli("cancel", str(run_id))
        assert refused.exit_code == 1
        assert "Dagster cannot cancel run" in refused.stderr
        assert "`--force` marks it as cancelled" in refused.stderr
        assert cli("cancel", str(run_id), "--force").exit_code == 0
        assert dagster.ended(run.run_id) == "CANCELED"
        over = cli("cancel", str(run_id))
    assert (over.exit_code, "is over: it was cancelled" in over.stderr) == (1, True)
