"""Runs in which nothing happens any more are settled, in a Dagster of processes of their own."""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import dagster as dg
import pytest
from dagster._core.execution.plan.objects import StepRetryData
from dagster._core.remote_origin import (
    RegisteredCodeLocationOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)
from dagster_shared.error import SerializableErrorInfo

from dagster_pgflow.errors import ConfigurationError, StoreError
from dagster_pgflow.location.location import Location
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.names import TAG_CHILD_RUN, TAG_PARENT_STEP, TAG_TOP_RUN
from dagster_pgflow.settings import (
    LOST_AFTER_VARIABLE,
    STUCK_AFTER_VARIABLE,
    StuckThresholds,
    stuck_thresholds,
)
from dagster_pgflow.store.catalog import Catalog
from dagster_pgflow.store.database import Database
from dagster_pgflow.store.live_runs import LiveRuns
from dagster_pgflow.store.silent_runs import SilentRuns
from dagster_pgflow.stuck_runs.stuck_runs import StuckRuns, StuckRunsResult
from tests.execution import elsewhere
from tests.execution.known_process import KnownProcess
from tests.execution.projecting import World, assert_log_adds_up_to_rows, opened_world
from tests.execution.projecting_elsewhere import start_elsewhere
from tests.polling import poll
from tests.postgres import Session, as_role

STUCK_S = 0.3
ORIGIN = RemoteJobOrigin(
    RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("pgflow"), "pgflow"), "f"
)
PATIENT = StuckThresholds(stuck_after=STUCK_S, lost_after=3600)
IMPATIENT = StuckThresholds(stuck_after=STUCK_S, lost_after=0)
"""Its runs are lost as soon as their steps' timeouts allow no longer silence."""


@pytest.fixture
def pid_file(tmp_path: Path) -> Path:
    """The file that tells the run launcher of a process."""
    return tmp_path / "pid"


@pytest.fixture
def world(database: Database, sql: Session, pid_file: Path) -> Iterator[World]:
    """A store, and a Dagster instance in memory whose run launcher knows a process."""
    with (
        dg.DagsterInstance.ephemeral() as instance,
        opened_world(database, sql, instance) as world,
    ):
        launcher = KnownProcess(str(pid_file))
        launcher.register_instance(instance)
        instance._run_launcher = launcher
        yield world


@pytest.fixture
def world_of_processes(
    database: Database,
    sql: Session,
    tmp_path: Path,
    pid_file: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[World]:
    """The same with an instance that other processes can use."""
    monkeypatch.setenv(elsewhere.URL, as_role(database.address.dsn, "worker"))
    monkeypatch.setenv(elsewhere.FOLDER, str(tmp_path))
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    launcher = "{module: tests.execution.known_process, class: KnownProcess,"
    (tmp_path / "dagster.yaml").write_text(
        f"telemetry: {{enabled: false}}\n"
        f"run_launcher: {launcher} config: {{pid_file: {pid_file}}}}}\n"
    )
    with dg.DagsterInstance.get() as instance, opened_world(database, sql, instance) as world:
        yield world


def ask(world: World, thresholds: StuckThresholds = PATIENT) -> StuckRunsResult:
    """Does what a tick of the sensor does, when every run has been silent for long enough."""
    time.sleep(STUCK_S)
    return again(world, thresholds)


def again(world: World, thresholds: StuckThresholds = PATIENT) -> StuckRunsResult:
    silent = SilentRuns(world.database)
    live = LiveRuns(world.database)
    asking = StuckRuns(world.instance, world.store.definitions, silent, live, thresholds)
    settled = asking.settle(time.monotonic() + 60)
    world.project()
    return settled


def made(world: World, status: dg.DagsterRunStatus, slug: str = "f", **tags: str) -> dg.DagsterRun:
    """Returns a run that Dagster has, without any process."""
    job = world.job(slug, {"echo": print})
    run = world.instance.create_run_for_job(
        job,
        status=status,
        tags={**job.tags, **tags},
        remote_job_origin=ORIGIN,
    )
    world.project()
    return run


def status_in_dagster(world: World, run: dg.DagsterRun) -> str:
    found = world.instance.get_run_by_id(run.run_id)
    assert found is not None
    return found.status.value


def define(world: World, max_recoveries: int = 0, **options: Any) -> None:
    world.define(Flow("f", max_recoveries=max_recoveries).step("a", handler="echo", **options))


def test_a_run_whose_process_was_killed_is_failed_and_over_and_before_that_left_alone(
    world_of_processes: World, tmp_path: Path, pid_file: Path
) -> None:
    world = world_of_processes
    world.define(
        Flow("f", max_recoveries=0)
        .step("a", handler="endless", timeout=600)
        .step("z", "quick", depends_on="a")
    )
    process = start_elsewhere("f")
    try:
        poll((tmp_path / "begun").exists)
        pid_file.write_text(str(process.pid))
        world.project()
        [run] = world.instance.get_runs()

        alive = ask(world)
        assert alive.verdicts == {UUID(run.run_id): "lives"}
        assert world.one("runs")["status"] == "started"
        assert status_in_dagster(world, run) == "STARTED"
        assert process.poll() is None
    finally:
        process.kill()
        process.wait(300)

    dead = ask(world)

    assert dead.verdicts == {UUID(run.run_id): "dead"}
    assert status_in_dagster(world, run) == "FAILURE"
    row = world.one("runs")
    assert (row["status"], row["failed_at"] is not None) == ("failed", True)
    assert row["error_message"].startswith("Timed out: nothing has happened in the run since 2")
    assert row["error_message"].endswith(
        f" UTC, and its process is gone (there is no process {process.pid})."
    )
    assert world.by_path("status") == {"a": "cancelled", "z": "cancelled"}
    assert_log_adds_up_to_rows(world, row["run_id"])
    assert ask(world).verdicts == {}


def test_a_run_that_was_asked_about_is_not_asked_about_again_at_once(
    world: World, pid_file: Path
) -> None:
    define(world)
    made(world, dg.DagsterRunStatus.STARTED)
    pid_file.write_text(str(os.getpid()))
    world.sql("update pgflow.runs set created_at = now() - interval '1 hour'")
    world.sql("update pgflow.event_log set timestamp = now() - interval '1 hour'")
    thresholds = StuckThresholds(stuck_after=600, lost_after=3600)
    # The rows were behind: Dagster knows of something newer.
    assert again(world, thresholds).number("lives") == 1
    assert again(world, thresholds).verdicts == {}
    world.sql("update pgflow.run_cursors set checked_at = now() - interval '11 minutes'")
    assert again(world, thresholds).number("lives") == 1


def test_a_run_that_finished_meanwhile_is_written_although_the_projection_is_off(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    define(world)
    run = made(world, dg.DagsterRunStatus.STARTED)
    world.instance.report_run_failed(run, "It broke.")
    monkeypatch.setenv(STUCK_AFTER_VARIABLE, str(STUCK_S))
    location = Location({"database_url": world.database.address.dsn})
    sensor = location.sensors()["pgflow_stuck_runs"]()
    context = dg.build_sensor_context(instance=world.instance)
    time.sleep(STUCK_S)
    tick = sensor.evaluate_tick(context)
    assert tick.skip_message == "Asked about 1 silent run: ended 0, 1 over, 0 go on."
    row = world.one("runs")
    assert (row["status"], row["error_message"]) == ("failed", "It broke.")
    assert sensor.evaluate_tick(context).skip_message == "No run is silent."
    monkeypatch.setenv(STUCK_AFTER_VARIABLE, "0")
    assert "PGFLOW_STUCK_AFTER is 0" in sensor.evaluate_tick(context).skip_message


@pytest.mark.parametrize("status", ["QUEUED", "MANAGED"])
def test_a_run_that_waits_for_its_turn_is_left_alone(world: World, status: str) -> None:
    define(world, timeout=1)
    run = made(world, dg.DagsterRunStatus(status))
    assert ask(world, IMPATIENT).number("waits") == 1
    assert status_in_dagster(world, run) == status
    assert world.one("runs")["status"] == "queued"


def test_a_request_that_no_sensor_has_seen_is_no_stuck_run(world: World) -> None:
    define(world)
    world.requests.start("f", {})
    assert ask(world, IMPATIENT).verdicts == {}
    assert world.one("runs")["status"] == "queued"


@pytest.mark.parametrize("status", ["NOT_STARTED", "STARTING", "STARTED"])
def test_a_run_that_nobody_knows_of_ends_when_its_timeouts_allow_no_longer_silence(
    world: World, status: str
) -> None:
    define(world, timeout=1)
    run = made(world, dg.DagsterRunStatus(status))
    assert ask(world).number("waits") == 1
    assert status_in_dagster(world, run) == status
    poll(lambda: ask(world, IMPATIENT).number("lost"))
    assert status_in_dagster(world, run) == "FAILURE"
    row = world.one("runs")
    assert row["status"] == "failed"
    assert "and nobody can say whether its process lives" in row["error_message"]


def test_a_run_that_somebody_cancels_and_whose_process_is_gone_is_cancelled(
    world: World, pid_file: Path
) -> None:
    define(world)
    run = made(world, dg.DagsterRunStatus.STARTED)
    world.instance.report_run_canceling(run)
    pid_file.write_text(str(2**22 + 1))
    assert ask(world).number("dead") == 1
    assert status_in_dagster(world, run) == "CANCELED"
    assert world.one("runs")["status"] == "cancelled"
    [told] = world.instance.all_logs(run.run_id, of_type=dg.DagsterEventType.RUN_CANCELED)
    assert "and its process is gone" in str(told.message)


def test_a_run_that_was_deleted_in_dagster_ends(world: World) -> None:
    define(world)
    run = made(world, dg.DagsterRunStatus.STARTED)
    world.instance.delete_run(run.run_id)
    assert ask(world).number("over") == 1
    assert world.one("runs")["status"] == "cancelled"


def _retry_in(seconds: int) -> StepRetryData:
    error = SerializableErrorInfo("It broke.", [], None)
    return StepRetryData(error, seconds)  # type: ignore[no-untyped-call]  # Dagster says nothing


def test_a_delay_before_another_attempt_is_no_silence(world: World, pid_file: Path) -> None:
    define(world)
    run = made(world, dg.DagsterRunStatus.STARTED)
    pid_file.write_text(str(2**22 + 1))
    retry = dg.DagsterEvent(
        dg.DagsterEventType.STEP_UP_FOR_RETRY.value,
        run.job_name,
        step_key="a",
        event_specific_data=_retry_in(300),
    )
    world.instance.report_dagster_event(retry, run.run_id)
    assert ask(world).number("lives") == 1
    assert status_in_dagster(world, run) == "STARTED"


def test_runs_that_a_step_has_made_end_with_it_and_never_alone(
    world: World, pid_file: Path
) -> None:
    define(world)
    run = made(world, dg.DagsterRunStatus.STARTED)
    tags = {TAG_TOP_RUN: run.run_id, TAG_PARENT_STEP: "a"}
    job = world.job("f", {"echo": print})
    child = world.instance.create_run_for_job(
        job, status=dg.DagsterRunStatus.STARTED, tags={**job.tags, **tags}
    )
    world.instance.add_run_tags(child.run_id, {TAG_CHILD_RUN: child.run_id})
    world.instance.report_engine_event("It goes on.", child)
    pid_file.write_text(str(2**22 + 1))
    assert ask(world).verdicts[UUID(run.run_id)] == "dead"
    assert [status_in_dagster(world, one) for one in (run, child)] == ["FAILURE", "FAILURE"]


def test_dagsters_own_monitoring_is_given_the_time_to_bring_a_run_back(
    world: World, pid_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    define(world, timeout=1)
    run = made(world, dg.DagsterRunStatus.STARTED)
    pid_file.write_text(str(2**22 + 1))
    monkeypatch.setattr(dg.DagsterInstance, "run_monitoring_enabled", True)
    assert ask(world).number("waits") == 1
    assert status_in_dagster(world, run) == "STARTED"
    poll(lambda: ask(world, IMPATIENT).number("dead"))
    assert status_in_dagster(world, run) == "FAILURE"


def test_a_run_that_makes_trouble_holds_up_no_other(world: World, pid_file: Path) -> None:
    define(world)
    bad, good = (made(world, dg.DagsterRunStatus.STARTED) for _ in range(2))
    world.instance.add_run_tags(bad.run_id, {".dagster/pgflow_watermark": "soon"})
    pid_file.write_text(str(2**22 + 1))
    settled = ask(world)
    assert settled.verdicts == {UUID(good.run_id): "dead"}
    [problem] = settled.problems
    assert problem.startswith(f"Whether run {bad.run_id} lives could not be found out:")


def test_a_store_that_fails_over_one_run_holds_up_no_other(
    world: World, pid_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    define(world)
    made_runs = {UUID(made(world, dg.DagsterRunStatus.STARTED).run_id) for _ in range(2)}
    pid_file.write_text(str(2**22 + 1))
    tree, asked = Catalog.tree, list[str]()

    def fail_once(self: Catalog, flow_slug: str, watermark: int) -> Any:
        asked.append(flow_slug)
        if len(asked) == 1:
            raise StoreError("canceling statement due to statement timeout")
        return tree(self, flow_slug, watermark)

    monkeypatch.setattr(Catalog, "tree", fail_once)
    settled = ask(world)
    [problem] = settled.problems
    assert "statement timeout" in problem
    [(other, verdict)] = settled.verdicts.items()
    assert (other in made_runs, verdict) == (True, "dead")


def test_a_tick_whose_time_is_up_leaves_the_rest_to_the_next(world: World) -> None:
    define(world)
    for _ in range(2):
        made(world, dg.DagsterRunStatus.QUEUED)
    time.sleep(STUCK_S)
    silent = SilentRuns(world.database)
    live = LiveRuns(world.database)
    asking = StuckRuns(world.instance, world.store.definitions, silent, live, PATIENT)
    cut_short = asking.settle(0)
    assert (cut_short.verdicts, cut_short.is_complete) == ({}, False)
    assert len(ask(world).verdicts) == 2


def test_a_patience_that_is_no_number_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert stuck_thresholds() == StuckThresholds(300, 3600)
    monkeypatch.setenv(LOST_AFTER_VARIABLE, "7200")
    assert stuck_thresholds() == StuckThresholds(300, 7200)
    for wrong in ("soon", "-1", "inf", "nan"):
        monkeypatch.setenv(STUCK_AFTER_VARIABLE, wrong)
        with pytest.raises(ConfigurationError, match=f'PGFLOW_STUCK_AFTER is "{wrong}"'):
            stuck_thresholds()


def test_a_run_of_a_live_worker_that_has_gone_silent_is_dead_and_another_lives(
    world: World, sql: Session
) -> None:
    define(world)
    live = LiveRuns(world.database)
    runs = {
        verdict: made(world, dg.DagsterRunStatus.STARTED) for verdict in ("lives", "dead", "waits")
    }
    for run in (runs["lives"], runs["dead"]):
        live.offer(UUID(run.run_id), "here")
        live.take("here", uuid4())
    silent = "seen_at = now() - interval '31 s', tries = 1"
    sql(f"update pgflow.live_runs set {silent} where dagster_run_id = '{runs['dead'].run_id}'")

    settled = ask(world)
    assert settled.verdicts == {UUID(run.run_id): verdict for verdict, run in runs.items()}
    assert status_in_dagster(world, runs["dead"]) == "FAILURE"
    assert live.is_taken(UUID(runs["dead"].run_id)) is None
    row = world.one("runs", "status = 'failed'")
    assert "its live worker has said nothing for" in row["error_message"]
