"""retry, through a real Dagster."""

import json
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from dagster_pgflow.cli import reexecution
from dagster_pgflow.cli.dagster_instance import known_run
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.store.database import Database
from dagster_pgflow.store.requests import Requests
from dagster_pgflow.store.retries import only_retry_of
from tests.polling import poll
from tests.postgres import Session
from tests.unit.cli.conftest import Cli
from tests.unit.cli.running_dagster import RunningDagster, dagster_in

FLOW = (
    Flow("f", max_attempts=1)
    .step("a", handler="listed")
    .map("m", handler="repairable", depends_on="a")
    .step("z", handler="listed", depends_on="m")
)


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


def fail(dagster: RunningDagster) -> str:
    """Runs the flow until it fails, and returns the id of the run."""
    run_id = dagster.world.requests.start("f", {})
    assert dagster.ended(dagster.launch("f", run_id)) == "FAILURE"
    return str(run_id)


def test_a_failed_run_goes_on_in_the_dagster_that_runs(
    cli: Cli, dagster: RunningDagster, monkeypatch: pytest.MonkeyPatch
) -> None:
    dagster.world.define(FLOW)
    with dagster.serving():
        first = fail(dagster)
        (dagster.folder / "repaired").touch()
        # Attempts and timeouts mix nothing.
        dagster.world.define(Flow(**{**dict(FLOW), "options": {"timeout": 7}}))
        monkeypatch.setattr(reexecution, "LOAD_TIMEOUT_S", 0.1)
        assert "has not loaded the newest version" in cli("retry", first).stderr
    with dagster.serving():
        result = cli("retry", first[:8], "--json")
        assert result.exit_code == 0, result.output
        told = json.loads(result.stdout)
        assert told["retry_of"] == first
        assert dagster.ended(told["run_id"]) == "SUCCESS"
    run = dagster.row(told["run_id"])
    assert (run["status"], str(run["retry_of"])) == ("completed", first)
    assert run["output"] == {"z": [1, 2, 3]}
    assert sorted((dagster.folder / "tried").read_text().split()) == ["1", "2", "2", "3"]
    again = cli("retry", told["run_id"])
    assert again.exit_code == 1
    assert "completed; `dagster-pgflow start` starts a new one." in again.stderr


def test_a_run_whose_process_was_killed_goes_on_with_all_elements_and_once(
    cli: Cli, dagster: RunningDagster
) -> None:
    one = Flow("one").step("x", handler="deadly")
    flow = (
        Flow("f")
        .step("a", handler="listed")
        .map("m", handler="deadly", depends_on="a")
        .subflow("each", one, depends_on=["a", "m"], over="a")
    )
    dagster.world.define(one, flow)
    with dagster.serving():
        first = fail(dagster)
        (dagster.folder / "repaired").touch()
        told = json.loads(cli("retry", first, "--json").stdout)
        assert dagster.ended(told["run_id"]) == "SUCCESS"
    run = dagster.row(told["run_id"])
    assert run["status"] == "completed"
    assert run["output"] == {"each": [{"x": 10}, {"x": 20}, {"x": 30}]}
    in_map, in_items = ["1", "2", "2", "3"], ["1", "2", "3"]
    assert sorted((dagster.folder / "tried").read_text().split()) == sorted(in_map + in_items)
    output = "select output from pgflow.step_states where run_id = %s and step_path = 'm'"
    assert dagster.world.sql.column(output, told["run_id"]) == [[10, 20, 30]]

    again = cli("retry", first)
    assert again.exit_code == 1
    assert f"Run {first} of flow f" not in again.stdout
    assert f"`dagster-pgflow status {told['run_id'][:8]}` shows its progress." in again.stderr


def test_a_run_of_which_only_the_end_is_missing_ends_and_does_nothing_again(
    cli: Cli, dagster: RunningDagster
) -> None:
    dagster.world.define(FLOW)
    (dagster.folder / "repaired").touch()
    instance = dagster.world.instance
    with dagster.serving():
        first = str(dagster.world.requests.start("f", {}))
        dagster_run_id = str(dagster.launch("f", UUID(first)))
        poll(lambda: known_run(instance, UUID(dagster_run_id)).is_finished)
        # Dagster's monitoring of runs says so where the process was killed before it could tell.
        instance.report_run_failed(known_run(instance, UUID(dagster_run_id)))
        assert dagster.ended(dagster_run_id) == "FAILURE"
        told = json.loads(cli("retry", first, "--json").stdout)
        assert dagster.ended(told["run_id"]) == "SUCCESS"
    run = dagster.row(told["run_id"])
    assert (run["status"], run["output"]) == ("completed", {"z": [1, 2, 3]})
    assert sorted((dagster.folder / "tried").read_text().split()) == ["1", "2", "3"]


def test_one_process_at_a_time_retries_a_run(
    cli: Cli, dagster: RunningDagster, sql: Session
) -> None:
    dagster.world.define(FLOW)
    run_id = dagster.world.requests.start("f", {})
    sql("update pgflow.runs set status = 'failed', dagster_run_id = run_id")
    with only_retry_of(dagster.world.database, run_id):
        refused = cli("retry", str(run_id))
    assert refused.exit_code == 1
    assert f"Another process is retrying run {run_id} at this moment." in refused.stderr


def test_versions_are_not_mixed_and_the_way_back_works_as_it_is_told(
    cli: Cli, dagster: RunningDagster
) -> None:
    dagster.world.define(FLOW)
    with dagster.serving():
        first = fail(dagster)
    dagster.world.define(FLOW.step("added", handler="listed", depends_on="m"))
    refused = cli("retry", first)
    assert refused.exit_code == 1
    assert 'Flow "f" was edited since run' in refused.stderr
    assert 'step "added" was added' in refused.stderr
    export, load = refused.stderr.partition("`")[2].partition("`")[0].split(" | ")
    text = cli(*export.split()[1:]).stdout
    assert cli(*load.split()[1:], input=text).stdout.startswith("f: stored as version 3")
    # Nothing mixes now, but nobody serves the code.
    unserved = cli("retry", first)
    assert unserved.exit_code == 1
    assert 'The code location "shop", which executed this run, does not answer' in unserved.stderr
    assert len(dagster.world.instance.get_runs()) == 1


def test_what_did_not_fail_in_dagster_is_not_repeated(
    cli: Cli, dagster: RunningDagster, sql: Session
) -> None:
    dagster.world.define(FLOW)
    run_id = str(dagster.world.requests.start("f", {}))
    for status, sentence in {
        "queued": "is queued; only a run that is over can be repeated.",
        "started": "is started; only a run that is over can be repeated.",
        "waiting": "waits, and goes on by itself when that is over;",
        "completed": "completed; `dagster-pgflow start` starts a new one.",
        "failed": "never began in Dagster, so there is nothing to continue;",
    }.items():
        sql("update pgflow.runs set status = %s", status)
        result = cli("retry", run_id)
        assert (result.exit_code, result.stdout) == (1, "")
        assert f"Run {run_id} of flow f {sentence}" in result.stderr
    sql("update pgflow.runs set dagster_run_id = %s", str(uuid4()))
    assert "it was deleted there, or belongs to another Dagster." in cli("retry", run_id).stderr


def test_without_dagster_home_it_says_what_to_set(
    cli: Cli, database: Database, sql: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli("load", "--examples")
    run_id = str(Requests(database).start("ai_workflow", {}))
    sql("update pgflow.runs set status = 'failed', dagster_run_id = %s", str(uuid4()))
    assert "DAGSTER_HOME is not set" in cli("retry", run_id).stderr
