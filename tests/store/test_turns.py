"""Which request is taken next: by turns of tenants, flows and keys, and by priority."""

from uuid import UUID

import pytest

from dagster_pgflow.store.claims import Claims
from dagster_pgflow.store.database import Database
from dagster_pgflow.store.flows import FlowBuilder
from dagster_pgflow.store.requests import Requests
from tests.postgres import Session
from tests.store.taking import all_claimed, claimed, define


def test_a_higher_priority_goes_first(
    database: Database, builder: FlowBuilder, requests: Requests, sql: Session
) -> None:
    define(builder, "f", max_concurrent_runs=1)
    define(builder, "g")
    low = requests.start("g", priority=-5)
    plain = [requests.start("g"), requests.start("g")]
    full = [requests.start("f", priority=9), requests.start("f", priority=9)]
    high = UUID(
        sql.value("select run_id::text from pgflow.start_flow('g', '{}', priority => 2147483647)")
    )
    assert [pending.priority for pending in requests.pending(3)] == [2147483647, 9, 0]
    assert all_claimed(database) == [high, full[0], *plain, low]


def test_the_same_run_asked_for_again_keeps_its_priority(
    builder: FlowBuilder, requests: Requests, sql: Session
) -> None:
    define(builder, "f")
    run_id = requests.start("f", priority=1)
    assert requests.start("f", run_id=run_id, priority=7) == run_id
    assert sql.column("select priority from pgflow.run_requests") == [1]
    sql("select pgflow.start_flow('f', priority => null)")
    assert sql.column("select priority from pgflow.run_requests order by 1") == [0, 1]


def test_turns_go_from_tenant_to_tenant_whatever_the_others_ask_for(
    database: Database, builder: FlowBuilder, requests: Requests
) -> None:
    define(builder, "greedy", "a", max_concurrent_runs=None)
    define(builder, "greedy2", "a")
    define(builder, "modest", "b")
    many = {requests.start("greedy", n, priority=9) for n in range(10)}
    many |= {requests.start("greedy2", n) for n in range(10)}
    few = [requests.start("modest", n) for n in range(3)]
    order = all_claimed(database)
    places = [order.index(run_id) for run_id in few]
    assert places == [1, 3, 5]
    late = requests.start("modest", 9)
    more = [requests.start("greedy", n) for n in range(9)]
    assert late in (claimed(database), claimed(database))
    assert set(order) == many | set(few)
    assert set(all_claimed(database)) < set(more)


def test_turns_go_from_flow_to_flow_and_from_key_to_key(
    database: Database, builder: FlowBuilder, requests: Requests
) -> None:
    define(builder, "f", concurrency_key="input.k")
    define(builder, "g")
    names = {requests.start("f", {"k": key}): key for key in "aaaabbc"}
    names |= {requests.start("g"): "g" for _ in range(2)}
    offered = [names[pending.run_id] for pending in requests.pending(20)]
    assert offered == [*"abcg", *"abg", *"aa"]
    assert [names[run_id] for run_id in all_claimed(database)] == offered


def test_what_is_left_to_the_queue_has_its_turn_with_the_sensor(
    database: Database, builder: FlowBuilder, requests: Requests
) -> None:
    define(builder, "f", max_concurrent_runs=1)
    run_id = requests.start("f")
    claims = Claims(database)
    with database.transaction() as transaction:
        taken = claims.next(transaction)
        assert taken is not None
        claims.leave_to_queue(transaction, taken.run_id)
    assert claimed(database) is None
    assert [pending.run_id for pending in requests.pending(5)] == [run_id]
    assert requests.hand_over([run_id]) == {run_id}


def test_a_request_that_somebody_inserted_without_more_ado_has_its_turn(
    database: Database, builder: FlowBuilder, sql: Session
) -> None:
    define(builder, "f", max_concurrent_runs=1)
    sql(
        "insert into pgflow.run_requests (run_id, flow_slug, version_id, input)"
        " values (gen_random_uuid(), 'f', 1, '{}'), (gen_random_uuid(), 'f', 1, '{}')"
    )
    sql(
        "insert into pgflow.runs (run_id, flow_slug, version_id)"
        " select run_id, flow_slug, version_id from pgflow.run_requests"
    )
    assert len(all_claimed(database)) == 1


def waiting_in_many_lines(sql: Session, number: int) -> None:
    """Inserts requests that wait, of a thousand flows of a hundred tenants."""
    sql("vacuum pgflow.run_requests")  # Another test may have left its rows in the pages.
    sql(
        """
        insert into pgflow.run_requests (run_id, flow_slug, version_id, input, tenant, created_at)
        select gen_random_uuid(), 'f' || n % 1000, 1, '{}', 't' || n % 100, now() - interval '1 day'
        from generate_series(1, %s) as n
        """.replace("% 1", "%% 1"),
        number,
    )
    sql(
        "insert into pgflow.runs (run_id, flow_slug, version_id, input)"
        " select run_id, flow_slug, version_id, '{}' from pgflow.run_requests"
        " on conflict do nothing"
    )


def blocks_of_a_claim(sql: Session) -> int:
    """Returns how many blocks a claim reads, when the session has its plans."""
    for _ in range(8):
        sql("select * from pgflow.claim_request()")
    plan = sql.value(
        "explain (analyze, buffers, format json) select * from pgflow.claim_request()"
    )[0]["Plan"]
    assert plan["Actual Rows"] == 1
    return int(plan["Shared Hit Blocks"]) + int(plan["Shared Read Blocks"])


@pytest.mark.parametrize("limit", [None, 5])
def test_a_hundred_thousand_that_wait_are_not_read_to_find_the_next(
    builder: FlowBuilder, sql: Session, limit: int | None
) -> None:
    define(builder, "f0", "t0", max_concurrent_runs=limit)
    sql(
        """
        insert into pgflow.flows (flow_slug, tags, opt_max_concurrent_runs)
        select 'f' || n, jsonb_build_object('tenant', 't' || n %% 100), %s
        from generate_series(1, 999) as n
        """,
        limit,
    )
    waiting_in_many_lines(sql, 100_000)
    sql("analyze pgflow.run_requests, pgflow.runs, pgflow.flows")
    assert blocks_of_a_claim(sql) < 500


def test_what_is_known_of_the_queue_from_another_time_makes_nobody_read_all_of_it(
    builder: FlowBuilder, sql: Session
) -> None:
    define(builder, "f0", "t0")
    waiting_in_many_lines(sql, 1_000)
    sql("update pgflow.run_requests set handed_over_at = now()")
    sql("analyze pgflow.run_requests, pgflow.runs")
    waiting_in_many_lines(sql, 30_000)
    assert blocks_of_a_claim(sql) < 500
    sql(
        "update pgflow.run_requests set handed_over_at = now(), turn = 1"
        " where run_id in (select run_id from pgflow.run_requests limit 20000)"
    )
    sql("vacuum (analyze off) pgflow.run_requests")
    assert blocks_of_a_claim(sql) < 500
