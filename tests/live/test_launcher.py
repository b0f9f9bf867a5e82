"""Runs that Dagster launches go to a live worker, or the ordinary way."""

import logging
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import dagster as dg
import pytest
from dagster._daemon.monitoring.run_monitoring import check_run_timeout

from dagster_pgflow import Flow, FlowBuilder
from dagster_pgflow.errors import StoreUnreachable
from dagster_pgflow.live_launcher.handover import hand_over
from dagster_pgflow.names import TAG_ORDINARY, TAG_WATERMARK
from dagster_pgflow.store.database import Database
from dagster_pgflow.store.live_runs import LiveRuns
from tests.live.launching import Launching, launching_in
from tests.live.seen_workers import enter
from tests.live.worker import Worker, live_worker
from tests.polling import poll
from tests.postgres import Session

HERE = "location.py"
"""What Dagster calls the code location."""


@pytest.fixture
def launching(
    environment: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Launching]:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with launching_in(Path(environment["DAGSTER_HOME"]), {}) as launching:
        yield launching


def gate(folder: Path, name: str) -> tuple[dict[str, str], Path, Path]:
    begun, until = folder / f"{name} begun", folder / f"{name} until"
    return {"begun": str(begun), "until": str(until)}, begun, until


def test_a_run_is_executed_by_a_live_worker_at_the_version_that_dagster_shows(
    launching: Launching, worker: Worker, builder: FlowBuilder, sql: Session
) -> None:
    builder.define_flow(Flow("twice").step("old", handler="double"))
    old = launching.create("twice", {"n": 1})
    builder.define_flow(Flow("twice").step("new", handler="double"))
    run = launching.create("twice", {"n": 2})
    # A run that is launched from the page of an older one has the tags of that.
    launching.instance.add_run_tags(run.run_id, {TAG_WATERMARK: old.tags[TAG_WATERMARK]})
    launching.launch(run)
    assert launching.wait_for(run, "SUCCESS", "FAILURE") == "SUCCESS"
    assert "the live worker of location.py" in launching.said(run)
    assert launching.left_to_the_other() == []
    poll(lambda: launching.row(run) is None)
    [row] = sql.records("select status, output, dagster_run_id from pgflow.runs")
    assert row == {
        "status": "completed",
        "output": {"new": {"twice": 4}},
        "dagster_run_id": run.run_id,
    }


def test_without_a_live_worker_a_run_goes_the_ordinary_way(
    launching: Launching, builder: FlowBuilder
) -> None:
    builder.define_flow(Flow("twice").step("double", handler="double"))
    run = launching.launched("twice", {"n": 1})
    assert launching.left_to_the_other() == [("launch", run.run_id)]
    assert launching.said(run) == ""


def test_a_run_that_no_worker_takes_is_taken_back(
    launching: Launching, builder: FlowBuilder, database: Database
) -> None:
    builder.define_flow(Flow("twice").step("double", handler="double"))
    worker_id = enter(database, HERE, concurrency=1)
    LiveRuns(database).offer(uuid4(), HERE)
    run = launching.launched("twice", {"n": 1})
    assert launching.left_to_the_other() == [("launch", run.run_id)]
    assert "all of them are busy" in launching.said(run)
    assert launching.row(run) is None
    LiveRuns(database).take(HERE, worker_id)
    assert LiveRuns(database).take(HERE, worker_id) is None


def test_a_run_for_containers_goes_the_ordinary_way_and_says_why(
    launching: Launching, builder: FlowBuilder, database: Database
) -> None:
    builder.define_flow(Flow("twice").step("double", handler="double"))
    enter(database, HERE)
    run = launching.create("twice", {"n": 1})
    launching.instance.add_run_tags(run.run_id, {"dagster-k8s/config": "{}"})
    launching.launch(run)
    assert launching.left_to_the_other() == [("launch", run.run_id)]
    assert "its tag dagster-k8s/config says how" in launching.said(run)


def test_a_run_of_another_job_is_no_business_of_the_store(launching: Launching) -> None:
    @dg.job
    def other() -> None: ...

    origin = launching.served.origins.remote_job("other")
    run = launching.instance.create_run_for_job(other, remote_job_origin=origin)
    launching.launch(run)
    assert launching.left_to_the_other() == [("launch", run.run_id)]


def test_a_store_that_is_away_fails_no_run(
    environment: Mapping[str, str], monkeypatch: pytest.MonkeyPatch, builder: FlowBuilder
) -> None:
    builder.define_flow(Flow("twice").step("double", handler="double"))
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("ELSEWHERE", "postgresql://u:secret@127.0.0.1:1/nowhere")
    config = {"database_url": {"env": "ELSEWHERE"}}
    with launching_in(Path(environment["DAGSTER_HOME"]), config) as launching:
        runs = [launching.launched("twice", {"n": 1}) for _ in range(2)]
        assert launching.left_to_the_other() == [("launch", run.run_id) for run in runs]
        for run in runs:
            assert launching.said(run).count("nobody can be asked for one") == 1
            assert "secret" not in launching.said(run)
        launching.instance.run_launcher.terminate(runs[0].run_id)
        assert launching.left_to_the_other()[-1] == ("terminate", runs[0].run_id)


def test_an_offer_of_which_nobody_knows_whether_it_was_taken_ends_in_one_place(
    launching: Launching,
    builder: FlowBuilder,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    builder.define_flow(Flow("twice").step("double", handler="double"))
    worker_id = enter(database, HERE)
    monkeypatch.setattr(LiveRuns, "is_taken", cut_off)
    waiting = launching.launched("twice", {"n": 1})
    assert launching.left_to_the_other() == [("launch", waiting.run_id)]
    assert LiveRuns(database).take(HERE, worker_id) is None

    # The answer to the offer is lost, and a worker has taken the run meanwhile.
    monkeypatch.undo()
    monkeypatch.setattr(LiveRuns, "offer", offer_and_take_and_lose_the_answer(worker_id))
    run = launching.create("twice", {"n": 1})
    assert hand_over(launching.instance, database, run, HERE, 10.0)
    assert launching.row(run) is True


def cut_off(_self: LiveRuns, _run_id: UUID) -> bool:
    raise StoreUnreachable("The connection was cut.", "away")


def offer_and_take_and_lose_the_answer(worker_id: UUID) -> object:
    offer = LiveRuns.offer

    def offered(self: LiveRuns, run_id: UUID, location: str) -> None:
        offer(self, run_id, location)
        assert self.take(location, worker_id) == run_id
        raise StoreUnreachable("The connection was cut.", "away", is_in_doubt=True)

    return offered


def test_of_a_worker_and_a_launcher_that_hurry_one_has_the_run(
    launching: Launching, builder: FlowBuilder, database: Database
) -> None:
    builder.define_flow(Flow("twice").step("double", handler="double"))
    worker_id = enter(database, HERE, concurrency=100)
    runs = [launching.create("twice", {"n": number}) for number in range(40)]
    taken, is_over = set[str](), threading.Event()

    def take() -> None:
        while not is_over.is_set():
            run_id = LiveRuns(database).take(HERE, worker_id)
            if run_id is not None:
                taken.add(str(run_id))

    taker = threading.Thread(target=take)
    taker.start()
    try:
        handed = {
            run.run_id for run in runs if hand_over(launching.instance, database, run, HERE, 0.0)
        }
    finally:
        is_over.set()
        taker.join()
    assert handed == taken


def test_a_worker_leaves_alone_a_run_that_was_launched_elsewhere_meanwhile(
    launching: Launching, worker: Worker, builder: FlowBuilder, database: Database
) -> None:
    builder.define_flow(Flow("twice").step("double", handler="double"))
    run = launching.create("twice", {"n": 1})
    launching.instance.add_run_tags(run.run_id, {TAG_ORDINARY: run.run_id})
    LiveRuns(database).offer(UUID(run.run_id), HERE)
    poll(lambda: launching.row(run) is None)
    assert launching.status(run) == "NOT_STARTED"


def test_a_run_is_terminated_while_a_step_is_at_work(
    launching: Launching, worker: Worker, builder: FlowBuilder, sql: Session, tmp_path: Path
) -> None:
    builder.define_flow(Flow("long").step("held", handler="hold"))
    given, begun, _ = gate(tmp_path, "one")
    run = launching.launched("long", given)
    poll(begun.exists)
    launcher = launching.instance.run_launcher
    assert launcher.check_run_worker_health(run).status.value == "RUNNING"
    assert launcher.terminate(run.run_id) is True
    assert launching.wait_for(run, "CANCELED", "FAILURE", "SUCCESS") == "CANCELED"
    poll(lambda: sql.column("select status from pgflow.runs") == ["cancelled"])
    assert launching.left_to_the_other() == []
    # It is over: now it is the other launcher's to say that.
    assert launcher.terminate(run.run_id) is False


def test_a_run_that_takes_longer_than_dagster_allows_ends(
    launching: Launching, worker: Worker, builder: FlowBuilder, sql: Session, tmp_path: Path
) -> None:
    builder.define_flow(Flow("long").step("held", handler="hold"))
    given, begun, _ = gate(tmp_path, "one")
    run = launching.launched("long", given)
    poll(begun.exists)
    record = launching.instance.get_run_record_by_id(run.run_id)
    assert record is not None
    check_run_timeout(launching.instance, record, logging.getLogger(__name__), 0.001)
    poll(lambda: launching.row(run) is None)
    # Dagster calls it failed, and its process calls it cancelled: who comes last is right.
    assert launching.status(run) in ("FAILURE", "CANCELED")
    assert sql.value("select status from pgflow.runs") in ("failed", "cancelled")
    assert sql.value("select count(*) from pgflow.live_runs") == 0


def test_a_run_that_is_cancelled_before_a_worker_takes_it_never_begins(
    launching: Launching,
    environment: Mapping[str, str],
    builder: FlowBuilder,
    database: Database,
    tmp_path: Path,
) -> None:
    builder.define_flow(Flow("twice").step("double", handler="double"))
    run = launching.create("twice", {"n": 1})
    LiveRuns(database).offer(UUID(run.run_id), HERE)
    assert launching.instance.run_launcher.terminate(run.run_id) is True
    with live_worker(tmp_path, environment, "--concurrency", "1"):
        assert launching.wait_for(run, "CANCELED", "SUCCESS") == "CANCELED"
        poll(lambda: launching.row(run) is None)


def test_a_run_inside_a_live_run_is_cancelled_alone(
    launching: Launching, worker: Worker, builder: FlowBuilder, tmp_path: Path
) -> None:
    builder.define_flows(
        [
            Flow("inner").step("held", handler="hold").step("after", "where", depends_on="held"),
            Flow("outer").subflow("inner", flow="inner", mode="run", max_attempts=1),
        ]
    )
    given, begun, until = gate(tmp_path, "inner")
    run = launching.launched("outer", given)
    poll(begun.exists)
    [child] = [one for one in launching.instance.get_runs() if one.run_id != run.run_id]
    launcher = launching.instance.run_launcher
    assert launcher.check_run_worker_health(child).status.value == "RUNNING"
    assert launcher.terminate(child.run_id) is True
    assert launching.status(child) == "CANCELING"
    # It looks once a second, when a step has ended.
    threading.Timer(1.5, until.touch).start()
    assert launching.wait_for(child, "CANCELED", "SUCCESS") == "CANCELED"
    assert launching.wait_for(run, "FAILURE", "CANCELED", "SUCCESS") == "FAILURE"
    assert launching.left_to_the_other() == []


def test_a_process_that_has_gone_silent_is_reported_as_failed_and_may_be_resumed_elsewhere(
    launching: Launching, builder: FlowBuilder, database: Database, sql: Session
) -> None:
    builder.define_flow(Flow("twice").step("double", handler="double"))
    worker_id = enter(database, HERE)
    run = launching.create("twice", {"n": 1})
    LiveRuns(database).offer(UUID(run.run_id), HERE)
    LiveRuns(database).take(HERE, worker_id)
    launcher = launching.instance.run_launcher
    sql("update pgflow.live_runs set seen_at = now() - interval '31 s'")
    health = launcher.check_run_worker_health(run)
    assert (health.status.value, "said nothing for 31 s" in str(health.msg)) == ("FAILED", True)

    launching.instance.report_dagster_event(starting(run), run.run_id)
    launching.instance.resume_run(run.run_id, None, 1)  # type: ignore[arg-type]
    assert launching.row(run) is None
    assert launcher.check_run_worker_health(run).status.value == "NOT_FOUND"
    assert launching.left_to_the_other() == [("resume", run.run_id), ("check", run.run_id)]


def starting(run: dg.DagsterRun) -> dg.DagsterEvent:
    return dg.DagsterEvent(dg.DagsterEventType.RUN_STARTING.value, run.job_name)


def test_without_our_launcher_a_live_run_ends_when_dagster_marks_it(
    launching: Launching, worker: Worker, builder: FlowBuilder, tmp_path: Path
) -> None:
    builder.define_flow(Flow("long").step("held", handler="hold"))
    given, begun, _ = gate(tmp_path, "one")
    run = launching.launched("long", given)
    poll(begun.exists)
    plain: Any = dg.DefaultRunLauncher()
    plain.register_instance(launching.instance)
    assert plain.terminate(run.run_id) is False
    assert launching.wait_for(run, "CANCELED", "FAILURE", "SUCCESS") == "CANCELED"
