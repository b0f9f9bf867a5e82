"""A database that is away for a while, or takes nobody for a while."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from types import SimpleNamespace
from typing import Any, NoReturn
from uuid import uuid4

import psycopg2
import pytest

from dagster_pgflow.errors import (
    InvalidFlow,
    StoreAccessDenied,
    StoreError,
    StoreRefused,
    StoreUnreachable,
)
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.store import retrying
from dagster_pgflow.store.database import Database, Transaction
from dagster_pgflow.store.flows import FlowBuilder
from dagster_pgflow.store.outputs import OutputKey, OutputStore
from dagster_pgflow.store.requests import Requests
from tests.lossy_proxy import LossyProxy, lossy_proxy
from tests.own_server import OwnServer, own_server, somebody_waits
from tests.postgres import Session

LONG = 120.0


@pytest.fixture(scope="module")
def mortal() -> Iterator[OwnServer]:
    """A server that these tests may kill."""
    with own_server() as server:
        yield server


@pytest.fixture
def store(mortal: OwnServer) -> Iterator[Database]:
    """The store on it, as those use it who can wait."""
    database = Database(mortal.url).retrying(LONG)
    yield database
    database.close()


@pytest.fixture
def proxy(mortal: OwnServer) -> Iterator[LossyProxy]:
    """A proxy to the server that may lose an answer."""
    with lossy_proxy(mortal.url) as proxy:
        yield proxy


@pytest.fixture
def far_store(proxy: LossyProxy) -> Iterator[Database]:
    """The store behind that proxy."""
    database = Database(proxy.url).retrying(LONG)
    yield database
    database.close()


@pytest.fixture
def nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_seconds: float) -> NoReturn:
        raise AssertionError("somebody waits for what does not end by waiting")

    monkeypatch.setattr(retrying, "time", SimpleNamespace(sleep=refuse, monotonic=time.monotonic))


def test_what_is_stored_and_read_waits_for_a_server_that_was_killed(
    mortal: OwnServer, store: Database
) -> None:
    outputs, key = OutputStore(store), OutputKey(uuid4(), "a")
    outputs.put(key, "1")
    mortal.kill()
    with mortal.coming_back():
        outputs.put(key, "2")
    mortal.kill()
    with mortal.coming_back():
        stored = outputs.get(key)
    assert stored is not None
    assert stored.value == 2


def test_connections_that_died_in_a_restart_cost_nothing(
    mortal: OwnServer, store: Database, nobody_waits: None
) -> None:
    assert store.fetch_value("fetch_watermark") >= 0
    mortal.restart()
    assert store.fetch_value("fetch_watermark") >= 0


def test_work_whose_connection_is_ended_begins_again(mortal: OwnServer, store: Database) -> None:
    sql, key = mortal.session(), OutputKey(uuid4(), "a")
    retries: list[int] = []

    def work(transaction: Transaction) -> int:
        pid = transaction.run_sql("select pg_backend_pid() as pid")[0]["pid"]
        transaction.run_sql("insert into pgflow.unpublished_flows values ('x')")
        retries.append(pid)
        if len(retries) == 1:
            sql("select pg_terminate_backend(%s)", pid)
        transaction.run_sql("delete from pgflow.unpublished_flows where flow_slug = 'x'")
        OutputStore(store).put(key, "1")
        return len(retries)

    assert store.run(work) == 2
    assert len(set(retries)) == 2
    sql.close()


def test_who_has_no_time_is_told_at_once(mortal: OwnServer, nobody_waits: None) -> None:
    mortal.kill()
    try:
        with pytest.raises(StoreUnreachable, match=r"^No PostgreSQL answers at .* Start it or"):
            Database(mortal.url).fetch_value("fetch_watermark")
    finally:
        mortal.start()


def test_patience_has_an_end(mortal: OwnServer) -> None:
    mortal.kill()
    try:
        began = time.monotonic()
        with pytest.raises(StoreUnreachable, match=r"^No PostgreSQL answers at"):
            Database(mortal.url).retrying(0.2).fetch_value("fetch_watermark")
        assert time.monotonic() - began > 0.2
    finally:
        mortal.start()


@pytest.mark.parametrize(
    ("other", "kind"),
    [
        ({"dbname": "nowhere"}, StoreUnreachable),
        ({"user": "nobody_known"}, StoreAccessDenied),
    ],
)
def test_a_wrong_address_is_told_at_once(
    mortal: OwnServer, nobody_waits: None, other: dict[str, str], kind: type[StoreError]
) -> None:
    with pytest.raises(kind, match="create it"):
        Database(mortal.url_of(**other)).retrying(LONG).fetch_value("fetch_watermark")


def test_a_change_that_is_refused_is_tried_once(store: Database, nobody_waits: None) -> None:
    with pytest.raises(InvalidFlow, match="tag-to-be-allowed"):
        FlowBuilder(store).create_flow("f", tags={"ecs/cpu": "1"})
    with pytest.raises(StoreRefused, match="json"):
        OutputStore(store).put(OutputKey(uuid4(), "a"), "no json")


def test_a_start_whose_answer_is_lost_starts_one_run(
    mortal: OwnServer, proxy: LossyProxy, far_store: Database
) -> None:
    FlowBuilder(far_store).define_flow(Flow("f").step("a"))
    requests = Requests(far_store)
    proxy.loses_next_commit = True
    run_id = requests.start("f", {"x": 1})
    assert not proxy.loses_next_commit
    sql = mortal.session()
    assert sql("select run_id from pgflow.runs") == [(str(run_id),)]
    sql.close()


def test_a_definition_whose_answer_is_lost_is_one_version(
    mortal: OwnServer, proxy: LossyProxy, far_store: Database
) -> None:
    builder = FlowBuilder(far_store)
    proxy.loses_next_commit = True
    assert builder.define_flow(Flow("lost_answer").step("a")) == 1
    assert not proxy.loses_next_commit
    builder.add_step("lost_answer", "b")
    proxy.loses_next_commit = True
    builder.add_step("lost_answer", "c")
    assert [step.slug for step in builder.get_flow("lost_answer").steps] == ["a", "b", "c"]


def test_what_must_not_be_done_twice_says_that_nobody_knows_whether_it_was_done(
    mortal: OwnServer, proxy: LossyProxy, far_store: Database
) -> None:
    FlowBuilder(far_store).define_flow(Flow("f").step("a"))
    requests = Requests(far_store)
    run_id = requests.start("f", {})
    proxy.loses_next_commit = True
    with pytest.raises(StoreUnreachable, match="it may or may not have been made; check before"):
        requests.take_back(run_id, "not wanted")
    sql = mortal.session()
    assert sql("select status from pgflow.runs where run_id = %s", str(run_id)) == [("cancelled",)]
    sql.close()


def fill_up(mortal: OwnServer) -> list[Any]:
    """Takes all connections that there are for users without special rights."""
    held = []
    while True:
        try:
            held.append(psycopg2.connect(mortal.url_of(user="plain")))
        except psycopg2.OperationalError:
            return held


@pytest.fixture
def full(mortal: OwnServer) -> Iterator[list[Any]]:
    """The connections that fill up a server of ten."""
    sql = mortal.session()
    sql("alter system set max_connections = 10")
    sql("create role plain login")
    sql("grant usage on schema pgflow to plain")
    sql("grant select on all tables in schema pgflow to plain")
    sql.close()
    mortal.restart()
    held = fill_up(mortal)
    assert held
    yield held
    for connection in held:
        connection.close()
    sql = mortal.session()
    sql("alter system reset max_connections")
    sql("drop owned by plain")
    sql("drop role plain")
    sql.close()


@pytest.mark.parametrize("limit", ["the server", "the user"])
def test_a_server_without_a_free_place_is_waited_for_and_called_what_it_is(
    mortal: OwnServer, full: list[Any], limit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if limit == "the user":
        full.pop().close()
        sql = mortal.session()
        sql(f"alter role plain connection limit {len(full)}")
        sql.close()
    # As a program that waits for nobody.
    database = Database(mortal.url_of(user="plain"))
    with monkeypatch.context() as patch:
        patch.setattr(retrying, "SHORT_S", 0.1)
        with pytest.raises(StoreUnreachable, match=r"takes no more connections: .*max_connections"):
            database.fetch_value("fetch_watermark")
    with somebody_waits() as waits:

        def make_place() -> None:
            assert waits.wait(300)
            full.pop().close()

        leaving = threading.Thread(target=make_place)
        leaving.start()
        assert database.fetch_value("fetch_watermark") >= 0
        leaving.join()
    database.close()


@pytest.fixture(params=["repeatable read", "serializable"])
def isolated(database: Database, sql: Session, request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a database with another default isolation, in which there is a flow."""
    FlowBuilder(database).define_flow(Flow("f").step("a"))
    name = sql.value("select current_database()")
    sql(f"alter database {name} set default_transaction_isolation to '{request.param}'")
    yield database.address.dsn
    sql(f"alter database {name} reset default_transaction_isolation")


def side_by_side(count: int, use: Callable[[int], None]) -> list[BaseException]:
    """Does something in several threads at once, and returns what went wrong."""
    failed: list[BaseException] = []
    barrier = threading.Barrier(count)

    def begin(number: int) -> None:
        try:
            barrier.wait()
            use(number)
        except BaseException as error:  # noqa: BLE001  whatever it is
            failed.append(error)

    threads = [threading.Thread(target=begin, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return failed


def test_definitions_and_starts_side_by_side_succeed_under_any_default_isolation(
    isolated: str, sql: Session
) -> None:
    def use(number: int) -> None:
        with closing(Database(isolated)) as own:
            for index in range(5):
                Requests(own).start("f", {"number": number, "index": index})
                FlowBuilder(own).define_flow(Flow("f").step("a", params={"number": number}))

    assert side_by_side(9, use) == []
    assert sql.value("select count(*) from pgflow.runs") == 45


def test_starts_side_by_side_in_plain_sql_succeed_under_any_default_isolation(
    isolated: str, sql: Session
) -> None:
    def use(number: int) -> None:
        with closing(Session(isolated)) as own:
            for _ in range(5):
                own("select pgflow.start_flow('f', %s)", str(number))

    assert side_by_side(9, use) == []
    assert sql.value("select count(*) from pgflow.runs") == 45
