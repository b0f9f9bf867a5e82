"""The keys of requests: computed by SQL where that can, else by whoever takes requests."""

from typing import Any
from uuid import UUID

import pytest

from dagster_pgflow.store.database import Database
from dagster_pgflow.store.flows import FlowBuilder
from dagster_pgflow.store.requests import Requests
from tests.postgres import Session
from tests.store.taking import all_claimed, claimed, define


def keys(sql: Session) -> dict[UUID, str]:
    return {
        UUID(run_id): key
        for run_id, key in sql("select run_id::text, concurrency_key from pgflow.run_requests")
    }


def test_each_key_has_a_limit_of_its_own_and_the_flow_one_for_all(
    database: Database, builder: FlowBuilder, requests: Requests
) -> None:
    define(
        builder,
        "f",
        max_concurrent_runs=3,
        concurrency_key="input.customer",
        max_concurrent_runs_per_key=1,
    )
    for customer in "aaabbcd":
        requests.start("f", {"customer": customer})
    taken = all_claimed(database)
    inputs = [requests.requested_input(str(run_id))["customer"] for run_id in taken]
    assert inputs == ["a", "b", "c"]


@pytest.mark.parametrize("expression", ["input.key", "input['key']"])
@pytest.mark.parametrize(
    ("value", "key"),
    [
        (1, "1"),
        (1.0, "1"),
        ("1", '"1"'),
        (True, "true"),
        (None, "null"),
        ('Café \\ "\n', '"Café \\\\ \\"\\n"'),
        (-0.5, "-0.5"),
        ({"b": 1.0, "a": [2]}, '{"a":[2],"b":1}'),
    ],
)
def test_equal_values_are_one_key_however_it_is_computed(
    database: Database, sql: Session, expression: str, value: Any, key: str
) -> None:
    define(FlowBuilder(database), "f", concurrency_key=expression)
    run_id = Requests(database).start("f", {"key": value})
    assert claimed(database) == run_id
    assert keys(sql) == {run_id: key}


@pytest.mark.parametrize("expression", ["input.key", "input.key + ''"])
def test_a_key_of_a_megabyte_is_a_key(
    database: Database, builder: FlowBuilder, requests: Requests, sql: Session, expression: str
) -> None:
    define(builder, "f", concurrency_key=expression, max_concurrent_runs_per_key=1)
    long = "x" * 1_000_000
    first, same, other = (requests.start("f", {"key": key}) for key in (long, long, long + "y"))
    assert set(all_claimed(database)) == {first, other}
    assert max(map(len, keys(sql).values())) < 100
    assert len(set(keys(sql).values())) == 2
    assert same not in all_claimed(database)


def test_a_request_without_a_key_is_refused_and_no_other(
    database: Database, builder: FlowBuilder, requests: Requests, sql: Session
) -> None:
    define(builder, "f", concurrency_key="input.customer", max_concurrent_runs_per_key=5)
    bad, worse = requests.start("f", {"other": 1}), requests.start("f", [1])
    good = requests.start("f", {"customer": 1.5})
    assert [pending.run_id for pending in requests.pending(10)] == [good]
    assert claimed(database) == good
    failed = sql("select run_id::text, error_message from pgflow.runs where status = 'failed'")
    assert {UUID(run_id) for run_id, _ in failed} == {bad, worse}
    assert all(
        message.startswith(
            'The concurrency key of flow "f", `input.customer`, has no value for the input of'
            " this run: "
        )
        for _, message in failed
    )


def test_an_expression_that_sql_let_through_refuses_requests_with_its_problem(
    database: Database, builder: FlowBuilder, requests: Requests, sql: Session
) -> None:
    define(builder, "f")
    sql("update pgflow.flows set opt_concurrency_key = 'input +'")
    run_id = requests.start("f")
    assert claimed(database) is None
    [(status, message)] = sql("select status, error_message from pgflow.runs")
    assert (status, "is not an expression" in message) == ("failed", True)
    assert requests.pending(1) == ()
    assert run_id in keys(sql)


def test_hundreds_of_requests_without_a_key_do_not_hold_up_the_others(
    database: Database, builder: FlowBuilder, requests: Requests, sql: Session
) -> None:
    define(builder, "f", concurrency_key="input.a + input.a", max_concurrent_runs_per_key=1)
    define(builder, "g")
    with sql.transaction():
        sql(
            "select count(pgflow.start_flow('f', jsonb_build_object('a', 'x')))"
            " from generate_series(1, 700)"
        )
    other = requests.start("g")
    assert other in (claimed(database), claimed(database))
    waiting = sql.value("select count(*) from pgflow.run_requests where awaits_key")
    assert waiting == 700 - 500
    sql(
        "update pgflow.flows set opt_concurrency_key = null, opt_max_concurrent_runs_per_key = null"
    )
    assert len(requests.pending(600)) == 600
