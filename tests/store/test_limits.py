"""How many runs a flow has at once: one limit for all who take requests."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from dagster_pgflow.errors import StoreRefused
from dagster_pgflow.store.claims import Claims
from dagster_pgflow.store.database import Database, Transaction
from dagster_pgflow.store.flows import FlowBuilder
from dagster_pgflow.store.requests import Requests
from tests.postgres import Session
from tests.store.taking import END, all_claimed, claimed, define


def test_a_flow_has_no_more_runs_at_once_than_it_says(
    database: Database, builder: FlowBuilder, requests: Requests, sql: Session
) -> None:
    define(builder, "f", max_concurrent_runs=2)
    define(builder, "g")
    first, second, third, fourth = (requests.start("f", number) for number in range(4))
    other = requests.start("g")
    assert set(all_claimed(database)) == {first, second, other}
    sql(END, str(second))
    assert all_claimed(database) == [third]
    sql("update pgflow.runs set status = 'started' where run_id = %s", str(third))
    assert claimed(database) is None
    sql(END.replace("completed", "cancelled"), str(third))
    assert claimed(database) == fourth


def test_a_limit_that_is_changed_holds_from_then_on(
    database: Database, builder: FlowBuilder, requests: Requests, sql: Session
) -> None:
    define(builder, "f", max_concurrent_runs=3)
    run_ids = [requests.start("f", number) for number in range(6)]
    assert len(all_claimed(database)) == 3
    define(builder, "f", max_concurrent_runs=1)
    sql(END, str(run_ids[0]))
    sql(END, str(run_ids[1]))
    assert claimed(database) is None
    define(builder, "f", max_concurrent_runs=2)
    assert all_claimed(database) == [run_ids[3]]
    define(builder, "f")
    assert all_claimed(database) == run_ids[4:]


def test_a_sensor_and_live_workers_share_one_limit(
    database: Database, builder: FlowBuilder, requests: Requests, sql: Session
) -> None:
    define(builder, "f", max_concurrent_runs=3)
    run_ids = [requests.start("f", number) for number in range(6)]
    offered = [pending.run_id for pending in requests.pending(10)]
    assert offered == run_ids[:3]
    assert claimed(database) == run_ids[0]
    # The sensor looked before that: two of its three may still go.
    assert requests.hand_over(offered) == set(run_ids[1:3])
    assert requests.hand_over(run_ids[3:]) == frozenset()
    assert claimed(database) is None
    sql(END, str(run_ids[1]))
    assert requests.hand_over(run_ids[3:]) == {run_ids[3]}


def test_a_request_whose_launch_was_lost_is_offered_again_and_keeps_its_one_place(
    database: Database, builder: FlowBuilder, requests: Requests
) -> None:
    define(builder, "f", max_concurrent_runs=2)
    first, second, third = (requests.start("f", number) for number in range(3))
    assert requests.hand_over([first]) == {first}
    assert [pending.run_id for pending in requests.pending(10)] == [second, first]
    assert requests.hand_over([first]) == {first}
    assert [pending.run_id for pending in requests.pending(10)] == [second, first]
    assert claimed(database) == second
    assert claimed(database) is None
    assert requests.take_back(first, "No more.", although_handed_over=True)
    assert claimed(database) == third


def test_what_a_live_worker_has_bound_no_sensor_starts_again(
    database: Database, builder: FlowBuilder, requests: Requests
) -> None:
    define(builder, "f")
    run_id = requests.start("f")
    [offered] = requests.pending(1)
    claims = Claims(database)
    with database.transaction() as transaction:
        taken = claims.next(transaction)
        assert taken is not None
        # Held, and not committed.
        assert requests.hand_over([offered.run_id]) == frozenset()
        claims.bind(transaction, taken, run_id)
    assert requests.hand_over([offered.run_id]) == frozenset()
    assert requests.pending(5) == ()


def test_a_claim_that_is_rolled_back_leaves_the_request_and_the_place(
    database: Database, builder: FlowBuilder, requests: Requests
) -> None:
    define(builder, "f", max_concurrent_runs=1)
    run_id = requests.start("f")

    def taken_and_lost(transaction: Transaction) -> None:
        assert Claims(database).next(transaction) is not None
        transaction.run_sql("select 1 / 0")

    with pytest.raises(StoreRefused, match="division"):
        database.run(taken_and_lost)
    assert claimed(database) == run_id


def test_no_limit_is_exceeded_however_many_take_at_once(
    database_url: str, builder: FlowBuilder, sql: Session
) -> None:
    define(builder, "f", max_concurrent_runs=3)
    define(builder, "g", concurrency_key="input.k", max_concurrent_runs_per_key=1)
    define(builder, "free")
    with sql.transaction():
        sql("select count(pgflow.start_flow('f')) from generate_series(1, 40)")
        sql("select count(pgflow.start_flow('free')) from generate_series(1, 20)")
        sql(
            "select count(pgflow.start_flow('g', jsonb_build_object('k', n % 4)))"
            " from generate_series(1, 40) as n"
        )
    with ThreadPoolExecutor(6) as pool:
        most = list(pool.map(partial(_worked, database_url), [True, *[False] * 5]))
    assert most == [0] * 6
    assert sql.column("select distinct status from pgflow.runs") == ["completed"]


def _worked(database_url: str, as_sensor: bool) -> int:
    """Takes requests and ends their runs until none is left; returns the most beyond a limit."""
    sql, database, most = Session(database_url), Database(database_url), 0
    requests = Requests(database)
    while sql.value("select count(*) from pgflow.runs where status = 'queued'"):
        if as_sensor:
            offered = [pending.run_id for pending in requests.pending(20)]
            taken = requests.hand_over(offered)
        else:
            run_id = claimed(database)
            taken = frozenset() if run_id is None else frozenset([run_id])
        most = max(most, _over_the_limit(sql))
        for one in taken:
            sql(END, str(one))
    database.close()
    sql.close()
    return most


def _over_the_limit(sql: Session) -> int:
    """Returns how many more are under way than may be, at one moment."""
    found: int = sql.value(
        """
        with under_way as (
          select flow_slug, concurrency_key, count(*) as runs
          from pgflow.run_requests
          where handed_over_at is not null and ended_at is null
          group by 1, 2
        )
        select count(*)
        from under_way
        where (flow_slug = 'f' and runs > 3) or (flow_slug = 'g' and runs > 1)
        """
    )
    return found


def test_why_a_request_waits_can_be_asked(
    database: Database, builder: FlowBuilder, requests: Requests, sql: Session
) -> None:
    define(builder, "f", max_concurrent_runs=1)
    define(builder, "g", concurrency_key="input.k", max_concurrent_runs_per_key=1)
    for n in range(2):
        requests.start("f", n)
    for key in ("a", "a", "b"):
        requests.start("g", {"k": key})
    requests.start("g", {"k": 0.5})
    requests.hand_over([requests.pending(1)[0].run_id])
    for _ in range(2):
        claimed(database)
    waits = sql.column("select waits_for from pgflow.waiting_requests order by created_at")
    assert "Dagster was asked to start it" in waits
    assert 'flow "f" has 1 of at most 1 under way' in waits
    assert 'flow "g" has 1 of at most 1 under way for the key "a"' in waits
    assert "it has its turn as soon as somebody takes requests" in waits


def test_requests_of_a_flow_that_is_deleted_hold_no_place(
    database: Database, builder: FlowBuilder, requests: Requests
) -> None:
    define(builder, "f", max_concurrent_runs=1)
    requests.start("f")
    requests.start("f")
    claimed(database)
    builder.delete_flow("f", force=True)
    assert claimed(database) is None
    define(builder, "f", max_concurrent_runs=2)
    run_id = requests.start("f")
    assert claimed(database) == run_id


def test_the_end_of_a_run_is_told_once_it_is_committed(
    builder: FlowBuilder, requests: Requests, sql: Session, new_session: Callable[[], Session]
) -> None:
    define(builder, "f")
    run_id = requests.start("f")
    listener = new_session()
    listener("listen pgflow_runs_ended")
    sql("update pgflow.runs set status = 'started'")
    sql(END, str(run_id))
    listener("select 1")
    told = [notify.payload for notify in listener.connection.notifies]
    assert told == [str(run_id)]
