"""What becomes of events when connections are cut and servers restart."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
import sqlalchemy as db
import sqlalchemy.exc
from dagster import DagsterEventType

from dagster_pgflow.dagster_storage import writer
from dagster_pgflow.dagster_storage.batches import EventBatch, EventRefused, Row, SentBatch
from dagster_pgflow.dagster_storage.buffer import BatchLimits, EventBuffer
from dagster_pgflow.dagster_storage.config import StorageAddress
from dagster_pgflow.dagster_storage.storage import BufferedPostgresStorage
from dagster_pgflow.dagster_storage.writer import BatchWriter, StillCommitting, has_committed
from tests.event_storage.deployments import Deployment
from tests.event_storage.events import RUN, event, line, lines_in
from tests.lossy_proxy import lossy_proxy
from tests.own_server import own_server
from tests.postgres import Session, sqlalchemy_url

CUT = """
    select pg_terminate_backend(pid, 10000)
    from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid()
"""
NEVER = BatchLimits(interval_ms=10**8)


@pytest.fixture
def session(slow: Deployment) -> Iterator[Session]:
    """Looks into the tables from outside."""
    session = Session(slow.dsn)
    yield session
    session.close()


def test_events_outlive_their_connections(slow: Deployment, session: Session) -> None:
    for number in range(3):
        slow.instance.store_event(line(f"a{number}"))
        slow.instance.all_logs(RUN)
        session(CUT)
        slow.instance.store_event(line(f"b{number}"))
        slow.instance.store_event(event(DagsterEventType.ENGINE_EVENT))
        session(CUT)
    assert slow.instance.all_logs(RUN)
    kinds = [text for text in lines_in(session) if text != "ENGINE_EVENT"]
    assert kinds == ["a0", "b0", "a1", "b1", "a2", "b2"]


def test_a_commit_whose_answer_is_lost_is_not_made_twice(slow: Deployment) -> None:
    session = Session(slow.dsn)
    with lossy_proxy(slow.dsn) as proxy:
        address = StorageAddress(sqlalchemy_url(proxy.url), makes_tables=False)
        storage = BufferedPostgresStorage(address, NEVER).event_log_storage
        for text in ("one", "two"):
            storage.store_event(line(text))
        proxy.loses_next_commit = True
        storage.store_event(event(DagsterEventType.ENGINE_EVENT))
        assert not proxy.loses_next_commit
        storage.dispose()
    assert lines_in(session) == ["one", "two", "ENGINE_EVENT"]
    session.close()


def test_a_commit_that_never_arrived_is_made_again(
    slow: Deployment, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    announce = writer._announce
    cuts = iter([True, True, False])

    def announced_and_cut(*arguments: object) -> SentBatch:
        sent = announce(*arguments)  # type: ignore[arg-type]
        if next(cuts):
            session(CUT)
        return sent

    monkeypatch.setattr(writer, "_announce", announced_and_cut)
    for text in ("one", "two"):
        slow.instance.store_event(line(text))
    slow.instance.all_logs(RUN)
    assert lines_in(session) == ["one", "two"]


def test_an_interrupted_write_is_taken_up_where_it_was(
    slow: Deployment, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    announce = writer._announce

    def interrupted(*arguments: object) -> SentBatch:
        announce(*arguments)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    monkeypatch.setattr(writer, "_announce", interrupted)
    slow.instance.store_event(line("one"))
    with pytest.raises(KeyboardInterrupt):
        slow.instance.all_logs(RUN)
    assert lines_in(session) == []
    monkeypatch.setattr(writer, "_announce", announce)
    slow.instance.store_event(line("two"))
    assert lines_in(session) == ["one", "two"]


def test_the_end_of_a_commit_is_waited_for(slow: Deployment, session: Session) -> None:
    looking = slow.instance.event_log_storage
    row = Row(RUN, looking._event_to_row(line("one")), 1)  # type: ignore[attr-defined]
    with session.transaction():
        number = session.value("select txid_current()")
        row_id = session.value(
            "insert into event_logs (run_id, event, timestamp) values (%s, %s, now()) returning id",
            RUN,
            row.columns["event"],
        )
        with looking.run_connection(RUN) as connection, pytest.raises(StillCommitting):  # type: ignore[attr-defined]
            has_committed(connection, SentBatch(number, row, row_id))
    with looking.run_connection(RUN) as connection:  # type: ignore[attr-defined]
        assert has_committed(connection, SentBatch(number, row, row_id))
        # A server that crashed gives the same numbers and ids to others.
        assert not has_committed(connection, SentBatch(number, row, row_id + 1))
        other = Row(RUN, looking._event_to_row(line("two")), 1)  # type: ignore[attr-defined]
        assert not has_committed(connection, SentBatch(number, other, row_id))
        assert not has_committed(connection, SentBatch(number + 10**9, other, row_id))


def test_a_server_that_crashes_and_comes_back_has_every_event_once() -> None:
    with own_server() as server:
        address = StorageAddress(sqlalchemy_url(server.url))
        storage = BufferedPostgresStorage(address, NEVER).event_log_storage
        session = server.session()
        session("alter system set synchronous_commit to on")
        session.close()
        for number in range(3):
            storage.store_event(line(f"before {number}"))
            storage.get_logs_for_run(RUN)
            storage.store_event(line(f"during {number}"))
            server.kill()
            server.start()
            storage.store_event(event(DagsterEventType.STEP_RESTARTED))
        session = server.session()
        told = [text for text in lines_in(session) if text != "STEP_RESTARTED"]
        session.close()
        storage.dispose()
    assert told == [f"{when} {number}" for number in range(3) for when in ("before", "during")]


def test_who_stores_an_event_hears_that_the_database_is_away_and_none_is_lost() -> None:
    stored: list[str] = []
    is_away = True

    def write(batch: EventBatch) -> None:
        if is_away:
            raise ConnectionError("away")
        stored.extend(row.columns["text"] for row in batch.rows)

    def row(text: str) -> Row:
        return Row(RUN, {"text": text}, 1)

    buffer = EventBuffer(write, NEVER, lambda: None)
    buffer.add(row("one"), at_once=False)
    with pytest.raises(ConnectionError):
        buffer.flush()
    # As long as that is so, each event is tried at once, and its run told.
    with pytest.raises(ConnectionError):
        buffer.add(row("two"), at_once=False)
    is_away = False
    buffer.add(row("three"), at_once=False)
    assert stored == ["one", "two", "three"]
    buffer.background.stop()


def test_events_that_are_lost_in_the_end_are_counted(caplog: pytest.LogCaptureFixture) -> None:
    def write(batch: EventBatch) -> None:
        raise ConnectionError("away")

    buffer = EventBuffer(write, NEVER, lambda: None)
    for _ in range(3):
        with suppress(ConnectionError):
            buffer.add(Row(RUN, {}, 1), at_once=False)
    buffer.flush_at_last()
    assert caplog.messages[-1] == "3 events of Dagster's log could not be stored: away"
    buffer.background.stop()


def test_patience_has_an_end() -> None:
    tries: list[int] = []

    @contextmanager
    def connect() -> Iterator[db.Connection]:
        tries.append(1)
        raise sqlalchemy.exc.OperationalError("", {}, ConnectionError("away"))
        yield

    impatient = BatchWriter(connect, patience=-1)
    with pytest.raises(sqlalchemy.exc.OperationalError):
        impatient.write(EventBatch([]))
    assert len(tries) == 1
    with pytest.raises(sqlalchemy.exc.OperationalError):
        BatchWriter(connect, patience=0.2).write(EventBatch([]))
    assert len(tries) > 2


def test_what_the_driver_refuses_is_not_waited_for() -> None:
    @contextmanager
    def connect() -> Iterator[db.Connection]:
        raise ValueError("A string literal cannot contain NUL (0x00) characters.")
        yield

    with pytest.raises(EventRefused, match="NUL"):
        BatchWriter(connect).write(EventBatch([]))
