"""Definitions that wait for a transaction that somebody has left open."""

import logging
import subprocess
import threading
from collections.abc import Callable, Iterator

import psycopg2
import pytest

from dagster_pgflow.embedded.binaries import by_major_version
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.store.database import Database
from dagster_pgflow.store.flows import FlowBuilder
from dagster_pgflow.store.requests import Requests
from tests.polling import poll
from tests.postgres import Session, as_role

PROGRAMS = by_major_version()[max(by_major_version())]
CHANGED = "select pgflow.add_step('old', 'more')"
"""What the open transaction did besides."""


@pytest.fixture
def idle(sql: Session, new_session: Callable[[], Session]) -> Iterator[Session]:
    """A session that has defined a flow and does not commit."""
    sql("select pgflow.create_flow('old'); select pgflow.add_step('old', 'a')")
    session = new_session()
    session("set application_name to 'coffee break'")
    session("begin")
    session("select pgflow.create_flow('new')")
    session(CHANGED)
    session("select pgflow.publish_flow('new')")
    yield session
    session("rollback")


def pid_of(session: Session) -> int:
    pid: int = session.connection.info.backend_pid
    return pid


PUBLISHING = "This definition cannot be published before another transaction has ended"
CHANGING = 'Flow "old" cannot be changed before another transaction has ended'


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("select pgflow.create_flow('other')", PUBLISHING),
        ("insert into pgflow.flows (flow_slug) values ('other')", PUBLISHING),
        ("select pgflow.add_step('old', 'b')", CHANGING),
        ('select pgflow.replace_flow(\'{"slug": "old"}\')', CHANGING),
        ("select pgflow.delete_flow('old')", CHANGING),
    ],
)
def test_psql_says_who_holds_a_definition_up_while_it_waits(
    database_url: str, idle: Session, sql: Session, statement: str, told: str
) -> None:
    psql = subprocess.Popen(
        [PROGRAMS / "psql", "-XqAt", as_role(database_url, "author"), "-c", statement],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert psql.stderr is not None
    warning = psql.stderr.readline()
    assert warning.startswith(f"WARNING:  {told}, and waits for it: process ")
    assert f"process {pid_of(idle)} (coffee break, transaction open since " in warning
    assert psql.poll() is None
    idle("commit")
    _, rest = psql.communicate(timeout=300)
    assert (psql.returncode, rest) == (0, "")


@pytest.mark.parametrize("limit", ["lock_timeout", "statement_timeout"])
@pytest.mark.parametrize("seconds", ["200ms", "1500ms"])
@pytest.mark.parametrize(
    "statement", ["select pgflow.create_flow('other')", "select pgflow.add_step('old', 'b')"]
)
def test_the_limits_of_postgresql_end_the_wait(
    idle: Session, sql: Session, limit: str, seconds: str, statement: str
) -> None:
    sql(f"set {limit} to '{seconds}'")
    ends = (psycopg2.errors.LockNotAvailable, psycopg2.errors.QueryCanceled)
    with pytest.raises(ends, match=r"has ended, and \d+ ms|statement timeout"):
        sql(statement)
    assert sql.value(f"show {limit}") == seconds
    idle("rollback")
    sql(statement)
    idle("begin")


def test_the_limit_of_the_session_is_as_before_when_the_wait_was_short(
    idle: Session, database: Database, new_session: Callable[[], Session], sql: Session
) -> None:
    waiting = new_session()
    waiting("set lock_timeout to '30s'; set application_name to 'waiting'")
    waiting("begin")
    thread = threading.Thread(
        target=waiting, args=("select pgflow.create_flow('x'); select pgflow.publish_flow('x')",)
    )
    thread.start()
    poll(
        lambda: sql.value(
            "select count(*) from pg_stat_activity"
            " where application_name = 'waiting' and wait_event_type = 'Lock'"
        )
    )
    idle("commit")
    thread.join()
    assert waiting.value("show lock_timeout") == "30s"
    waiting("rollback")
    idle("begin")


def test_nothing_is_kept_from_starting_by_a_transaction_that_defines_flows(
    database_url: str, idle: Session, requests: Requests, new_session: Callable[[], Session]
) -> None:
    starter = Session(as_role(database_url, "starter"))
    starter("set statement_timeout to '20s'")
    run_id = starter.value("select run_id from pgflow.start_flow('old')")
    starter.close()
    [waiting] = requests.pending(10)
    assert str(waiting.run_id) == str(run_id)
    assert requests.hand_over([waiting.run_id])


def test_the_builder_says_who_holds_it_up(
    idle: Session, builder: FlowBuilder, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, logger="dagster_pgflow")
    thread = threading.Thread(target=builder.define_flow, args=(Flow("other").step("a"),))
    thread.start()
    told = f"Waiting until another transaction has ended: process {pid_of(idle)} (coffee break, "
    poll(lambda: [one for one in caplog.messages if one.startswith(told)])
    assert thread.is_alive()
    idle("commit")
    thread.join()
    idle("begin")
    assert builder.get_flow("other") == Flow("other").step("a")


def test_a_definition_that_does_not_wait_says_nothing(
    builder: FlowBuilder, caplog: pytest.LogCaptureFixture
) -> None:
    builder.define_flow(Flow("f").step("a"))
    assert caplog.messages == []
