"""When events are in the table, where no clock writes them."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster import DagsterEventType
from dagster._core.events import ASSET_CHECK_EVENTS, ASSET_EVENTS, PIPELINE_EVENTS

from dagster_pgflow.dagster_storage.event_kinds import AT_ONCE, BUFFERED, handling_of
from tests.event_storage import jobs
from tests.event_storage.deployments import OURS, Deployment, deployment
from tests.event_storage.events import RUN, event, line, lines_in
from tests.polling import poll
from tests.postgres import Server, Session

Read = Callable[[dg.DagsterInstance], object]

READS: dict[str, Read] = {
    "the log": lambda one: one.all_logs(RUN),
    "records of a run": lambda one: one.get_records_for_run(RUN),
    "the run": lambda one: one.get_run_by_id(RUN),
    "whether there is a run": lambda one: one.has_run(RUN),
    "runs": lambda one: one.get_run_records(),
    "tags": lambda one: one.get_run_tags(["team"]),
    "numbers of a run": lambda one: one.get_run_stats(RUN),
    "numbers of steps": lambda one: one.get_run_step_stats(RUN),
    "changes of a status": lambda one: one.fetch_run_status_changes(
        DagsterEventType.RUN_SUCCESS, limit=1
    ),
    "assets": lambda one: one.get_asset_keys(),
    "partitions": lambda one: one.get_dynamic_partitions("colours"),
    "limits": lambda one: one.event_log_storage.get_concurrency_keys(),
    "a claim": lambda one: one.event_log_storage.claim_concurrency_slot("pool", RUN, "step"),
    "sensors": lambda one: one.all_instigator_state(),
    "a heartbeat": lambda one: one.get_daemon_heartbeats(),
    "a change of tags": lambda one: one.add_run_tags(RUN, {}),
    "a deletion": lambda one: one.delete_dynamic_partition("colours", "red"),
}


@pytest.fixture
def session(slow: Deployment) -> Iterator[Session]:
    """Looks into the tables from outside."""
    session = Session(slow.dsn)
    yield session
    session.close()


def threads() -> list[threading.Thread]:
    return [one for one in threading.enumerate() if one.name == "dagster-pgflow-events"]


def test_an_event_waits(slow: Deployment, session: Session) -> None:
    slow.instance.store_event(line("one"))
    assert lines_in(session) == []


@pytest.mark.parametrize("what", READS)
def test_whoever_asks_finds_what_was_stored_before(
    what: str, slow: Deployment, session: Session
) -> None:
    slow.instance.add_run(dg.DagsterRun("job", run_id=RUN))
    slow.instance.store_event(line("one"))
    READS[what](slow.instance)
    assert lines_in(session) == ["one"]


@pytest.mark.parametrize("kind", sorted(AT_ONCE))
def test_what_must_not_be_lost_takes_along_what_came_before(
    kind: DagsterEventType, slow: Deployment, session: Session
) -> None:
    slow.instance.store_event(line("before"))
    slow.instance.store_event(event(kind, step_key="step"))
    assert lines_in(session) == ["before", kind.value]


@pytest.mark.parametrize("kind", [*sorted(PIPELINE_EVENTS), DagsterEventType.ASSET_MATERIALIZATION])
def test_what_readers_of_all_runs_follow_comes_alone_and_behind_what_came_before(
    kind: DagsterEventType, slow: Deployment, session: Session
) -> None:
    slow.instance.store_event(line("before"))
    slow.instance.store_event(event(kind))
    assert lines_in(session) == ["before", kind.value]
    before, behind = session.column("select xmin::text from event_logs order by id")
    assert before != behind


def test_a_kind_that_is_not_known_yet_is_stored_as_ever() -> None:
    assert not AT_ONCE & BUFFERED
    assert not (AT_ONCE | BUFFERED) & (ASSET_EVENTS | ASSET_CHECK_EVENTS | PIPELINE_EVENTS)
    others = set(DagsterEventType) - AT_ONCE - BUFFERED
    for kind in others & (PIPELINE_EVENTS | {DagsterEventType.ALERT_START}):
        assert handling_of(event(kind)) == "ordinary"


def test_a_full_batch_does_not_wait(server: Server, tmp_path: Path) -> None:
    with deployment(
        server, tmp_path / "home", OURS, flush_interval_ms=10**8, batch_events=3
    ) as made:
        session = Session(made.dsn)
        for text in ("one", "two"):
            made.instance.store_event(line(text))
        assert lines_in(session) == []
        made.instance.store_event(line("three"))
        assert lines_in(session) == ["one", "two", "three"]
        session.close()


def test_a_huge_event_does_not_wait(slow: Deployment, session: Session) -> None:
    slow.instance.store_event(line("small"))
    slow.instance.store_event(line("x" * 10_000_000))
    small, huge = lines_in(session)
    assert (small, len(huge)) == ("small", 10_000_000)


def test_without_an_interval_no_event_waits(server: Server, tmp_path: Path) -> None:
    with deployment(server, tmp_path / "home", OURS, flush_interval_ms=0) as made:
        made.instance.store_event(line("one"))
        session = Session(made.dsn)
        assert lines_in(session) == ["one"]
        session.close()


def test_the_clock_writes_what_nobody_asks_for(ours: Deployment) -> None:
    ours.instance.store_event(line("one"))
    session = Session(ours.dsn)
    assert poll(lambda: lines_in(session)) == ["one"]
    session.close()


def test_a_storage_that_is_not_used_has_neither_thread_nor_connection(
    server: Server, tmp_path: Path
) -> None:
    with deployment(server, tmp_path / "home", OURS) as made:
        assert not threads()
        session = Session(made.dsn)
        assert connections(session) == 0
        made.instance.store_event(line("one"))
        made.instance.all_logs(RUN)
        assert threads()
        assert connections(session) == 1
        made.instance.dispose()
        assert not threads()
        poll(lambda: connections(session) == 0)
        made.instance.store_event(line("two"))
        assert [entry.user_message for entry in made.instance.all_logs(RUN)] == ["one", "two"]
        session.close()


def connections(session: Session) -> Any:
    return session.value(
        "select count(*) from pg_stat_activity "
        "where datname = current_database() and pid <> pg_backend_pid() "
        "and backend_type = 'client backend'"
    )


def test_each_event_is_announced_in_its_order(slow: Deployment, session: Session) -> None:
    session("listen run_events")
    for text in ("one", "two"):
        slow.instance.store_event(line(text))
    slow.instance.store_event(event(DagsterEventType.RUN_START))
    announced = [f"{RUN}_{number}" for number in (1, 2, 3)]

    def heard() -> list[str]:
        session.connection.poll()
        return [note.payload for note in session.connection.notifies]

    poll(lambda: len(heard()) == len(announced))
    assert heard() == announced


def test_who_watches_a_run_from_elsewhere_sees_its_events(ours: Deployment) -> None:
    seen: list[str] = []
    with ours.new_instance() as web_server:
        watch = lambda entry, _cursor: seen.append(entry.user_message)  # noqa: E731
        web_server.watch_event_logs(RUN, None, watch)
        for number in range(20):
            ours.instance.store_event(line(str(number)))
        poll(lambda: len(seen) == 20)
        web_server.end_watch_event_logs(RUN, watch)
    assert seen == [str(number) for number in range(20)]


def test_instances_of_one_process_find_what_the_others_have_stored(
    slow: Deployment, session: Session
) -> None:
    others = [slow.new_instance() for _ in range(10)]
    for number, other in enumerate(others):
        other.store_event(line(str(number)))
    assert lines_in(session) == []
    said = [entry.user_message for entry in slow.instance.all_logs(RUN)]
    assert said == [str(number) for number in range(10)]
    assert connections(session) <= 2
    others[0].dispose()
    others[1].store_event(line("behind"))
    assert len(others[2].all_logs(RUN)) == 11


def test_a_process_that_ends_leaves_nothing_behind(slow: Deployment, session: Session) -> None:
    program = (
        "import dagster as dg\n"
        "from tests.event_storage.events import line\n"
        f"instance = dg.DagsterInstance.from_config({str(slow.home)!r})\n"
        "instance.store_event(line('last words'))\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
    assert lines_in(session) == ["last words"]


def test_a_fork_has_neither_the_events_nor_the_connections(
    slow: Deployment, session: Session
) -> None:
    slow.instance.all_logs(RUN)
    slow.instance.store_event(line("parent"))
    child = os.fork()
    if child == 0:
        try:
            slow.instance.store_event(line("child"))
            slow.instance.event_log_storage.dispose()
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    slow.instance.store_event(line("parent again"))
    slow.instance.all_logs(RUN)
    assert lines_in(session) == ["parent", "child", "parent again"]


def test_the_log_of_a_run_under_way_is_there_for_its_own_steps(slow: Deployment) -> None:
    seen: list[str] = []

    @dg.op
    def look_back(context: dg.OpExecutionContext, number: int) -> None:
        del number
        events = context.instance.all_logs(context.run_id)
        seen.extend(entry.dagster_event_type.value for entry in events if entry.dagster_event_type)

    @dg.job
    def looks_back() -> None:
        look_back(jobs.begin())

    assert looks_back.execute_in_process(instance=slow.instance).success
    assert seen[-1] == "STEP_INPUT"


def test_an_event_of_long_ago_keeps_its_time(slow: Deployment, session: Session) -> None:
    slow.instance.store_event(line("old", timestamp=0.25))
    slow.instance.all_logs(RUN)
    [[then]] = session('select "timestamp" from event_logs')
    assert then == datetime(1970, 1, 1, 0, 0, 0, 250_000, tzinfo=UTC).replace(tzinfo=None)
