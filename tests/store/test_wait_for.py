"""`pgflow.wait_for`: callers of SQL get the end of a run, without holding anything up."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import psycopg2
import pytest

from tests.postgres import Session, role_name

RUN = "03041eae-8ff3-4ee9-ac66-84e63046cc11"
ENDED = "update pgflow.runs set status = 'completed', output = '{\"a\": 7}' where run_id = %s"
LOCKS = """
    select count(*)
    from pg_locks as lock
    join pg_stat_activity as activity using (pid)
    where activity.query like '%%wait_for%%' and lock.pid <> pg_backend_pid()
      and (lock.mode <> 'AccessShareLock' and lock.locktype not in ('virtualxid'))
"""


@pytest.fixture(autouse=True)
def flow(sql: Session) -> None:
    with sql.transaction():
        sql("select pgflow.create_flow('f')")
        sql("select pgflow.add_step('f', 'a')")


def test_it_returns_the_run_when_that_is_over(
    sql: Session, new_session: Callable[[], Session]
) -> None:
    sql("select pgflow.start_flow('f', run_id => %s)", RUN)
    waiting, statement = new_session(), "select status, output from pgflow.wait_for(%s, '10 min')"
    with ThreadPoolExecutor(1) as pool:
        found = pool.submit(waiting, statement, RUN)
        while not sql.value(
            "select count(*) from pg_stat_activity where wait_event = 'PgSleep' and datname ="
            " current_database()"
        ):
            assert not found.done()
        assert sql.value(LOCKS) == 0
        sql("update pgflow.runs set status = 'started' where run_id = %s", RUN)
        assert not found.done()
        sql(ENDED, RUN)
        assert found.result() == [("completed", {"a": 7})]
    assert new_session()(statement, RUN) == [("completed", {"a": 7})]


@pytest.mark.parametrize("timeout", ["interval '0'", "interval '-1 day'", "interval '30 ms'"])
def test_when_the_time_is_over_it_returns_the_run_as_it_is(sql: Session, timeout: str) -> None:
    sql("select pgflow.start_flow('f', run_id => %s)", RUN)
    assert sql(f"select status, output from pgflow.wait_for(%s, {timeout})", RUN) == [
        ("queued", None)
    ]


@pytest.mark.parametrize("timeout", ["null", "interval '170000000 years'"])
def test_a_run_that_is_over_is_returned_whatever_the_timeout(sql: Session, timeout: str) -> None:
    sql("select pgflow.start_flow('f', run_id => %s)", RUN)
    sql(ENDED, RUN)
    assert sql(f"select status from pgflow.wait_for(%s, {timeout})", RUN) == [("completed",)]


@pytest.mark.parametrize("run_id", [RUN, None])
def test_a_run_that_there_is_not_is_refused(sql: Session, run_id: str | None) -> None:
    with pytest.raises(psycopg2.errors.NoDataFound, match="There is no run"):
        sql("select pgflow.wait_for(%s)", run_id)


@pytest.mark.parametrize("savepoint", ["", "savepoint s"])
def test_a_run_of_the_same_transaction_is_refused_instead_of_waited_for(
    sql: Session, savepoint: str
) -> None:
    sql("begin")
    if savepoint:
        sql(savepoint)
    sql("select pgflow.start_flow('f', run_id => %s)", RUN)
    with pytest.raises(psycopg2.errors.InvalidTransactionState, match="commit, then call wait_for"):
        sql("select pgflow.wait_for(%s)", RUN)
    sql("rollback")


@pytest.mark.parametrize("isolation", ["repeatable read", "serializable"])
def test_a_transaction_that_could_not_see_the_end_is_refused(sql: Session, isolation: str) -> None:
    sql("select pgflow.start_flow('f', run_id => %s)", RUN)
    sql(f"begin isolation level {isolation}")
    with pytest.raises(
        psycopg2.errors.InvalidTransactionState, match=f"that is {isolation} never sees the end"
    ):
        sql("select pgflow.wait_for(%s)", RUN)
    sql("rollback")


def test_a_statement_timeout_ends_the_wait(sql: Session) -> None:
    sql("select pgflow.start_flow('f', run_id => %s)", RUN)
    sql("set statement_timeout = '50ms'")
    with pytest.raises(psycopg2.errors.QueryCanceled):
        sql("select pgflow.wait_for(%s)", RUN)


def test_tenants_wait_for_runs_of_their_own_alone(
    sql: Session, new_session: Callable[[], Session]
) -> None:
    if sql.connection.server_version < 150000:
        pytest.skip("Tenants are isolated from PostgreSQL 15 on.")
    sql("select pgflow.start_flow('f', run_id => %s)", RUN)
    sql(ENDED, RUN)
    with sql.transaction():
        sql("select pgflow.isolate_tenants()")
        sql(f"set local role {role_name('starter')}")
        with pytest.raises(psycopg2.errors.NoDataFound, match="There is no run"):
            sql("select pgflow.wait_for(%s)", RUN)
        sql("rollback")
        sql("begin")
        sql(f"set local role {role_name('starter')}")
        assert sql("select status from pgflow.wait_for(%s)", RUN) == [("completed",)]
