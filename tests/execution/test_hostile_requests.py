"""Requests that are meant to do harm, or too large: none of them holds up another one."""

import json
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID, uuid4

import dagster as dg
import pytest
from dagster_shared.serdes import deserialize_value, serialize_value

from dagster_pgflow import Flow, FlowBuilder
from dagster_pgflow.json_values.sealed import unseal
from dagster_pgflow.location.location import Location
from dagster_pgflow.store.requests import Requests
from dagster_pgflow.triggers.request_sensor import REQUESTS_PER_TICK
from dagster_pgflow.triggers.run_of_request import MOST_INPUT_BYTES
from tests.hostile_json import MEANT
from tests.postgres import Session

MB = 1024 * 1024
HANDLERS = {"a": lambda given: given}

UNREADABLE = {
    "nested 101 levels deep": "[" * 101 + "]" * 101,
    "nested 500 levels deep": '{"a":' * 500 + "1" + "}" * 500,
    "nested 3000 levels deep": "[" * 3000 + "]" * 3000,
    "1e5000": "1e5000",
    "5,000 nines": f'{{"a": {"9" * 5000}}}',
    "400 digits and a half": f"[{'9' * 400}.5]",
}
"""What only a row can have that came past the functions, or from an older version."""


@pytest.fixture
def tick(database_url: str, builder: FlowBuilder) -> Iterator[Callable[[], list[dg.RunRequest]]]:
    """Does what a tick of the sensor does, and hands the requests over as Dagster does."""
    builder.define_flow(Flow("f").step("a"))
    settings: Any = {"database_url": database_url, "handlers": [HANDLERS]}
    sensor = Location(settings).sensors()["pgflow_requests"]()
    with dg.DagsterInstance.ephemeral() as instance:

        def evaluated() -> list[dg.RunRequest]:
            told = sensor.evaluate_tick(dg.build_sensor_context(instance=instance))
            assert len(serialize_value(told.run_requests)) < 20 * MB
            return [
                deserialize_value(serialize_value(request), dg.RunRequest)
                for request in told.run_requests
            ]

        yield evaluated


def insert_past_the_functions(sql: Session, text: str) -> UUID:
    """Writes a request as an older version may have stored it, without its checks."""
    run_id = uuid4()
    domain = "pgflow.json_within_limits"
    [[definition]] = sql(
        "select pg_get_constraintdef(oid) from pg_constraint where conname = %s",
        "json_is_within_limits",
    )
    sql(f"alter domain {domain} drop constraint json_is_within_limits")
    sql(
        "insert into pgflow.run_requests (run_id, flow_slug, version_id, input)"
        " values (%s, 'f', 1, %s::jsonb)",
        str(run_id),
        text,
    )
    sql("insert into pgflow.runs (run_id, flow_slug) values (%s, 'f')", str(run_id))
    sql(f"alter domain {domain} add constraint json_is_within_limits {definition} not valid")
    return run_id


def started(requests: Requests, run: dg.RunRequest) -> Any:
    """Returns the input that a run gets."""
    sent = run.run_config["inputs"]["flow_input"]
    if isinstance(sent, dict) and list(sent) == ["dagster-pgflow/input"]:
        return requests.requested_input(sent["dagster-pgflow/input"])
    return unseal(sent)


@pytest.mark.parametrize("name", UNREADABLE)
def test_a_row_that_nobody_can_read_is_refused_and_the_others_start(
    tick: Callable[[], list[dg.RunRequest]], requests: Requests, sql: Session, name: str
) -> None:
    bad = insert_past_the_functions(sql, UNREADABLE[name])
    good = requests.start("f", {"n": 1})

    assert [request.run_key for request in tick()] == [str(good)]
    [[status, error]] = sql(
        "select status, error_message from pgflow.runs where run_id = %s", str(bad)
    )
    assert status == "failed"
    assert 'The input of flow "f" is refused: it ' in error
    assert [request.run_key for request in tick()] == [str(good)]


def test_what_means_something_to_dagster_or_to_us_starts_as_any_input(
    tick: Callable[[], list[dg.RunRequest]], requests: Requests
) -> None:
    wanted = {str(requests.start("f", value)): value for value in MEANT}
    assert len(wanted) <= REQUESTS_PER_TICK
    given = {str(request.run_key): started(requests, request) for request in tick()}
    assert given == wanted


def test_large_requests_and_a_small_one_start_in_the_same_tick(
    tick: Callable[[], list[dg.RunRequest]], requests: Requests, sql: Session
) -> None:
    large = ["x" * (2 * MB), *({"n": number} for number in range(40_000))]
    sql("select pgflow.start_flow('f', %s::jsonb) from generate_series(1, 45)", json.dumps(large))
    small = requests.start("f", {"small": True})

    runs = tick()
    assert len(runs) == 46
    assert str(small) in {run.run_key for run in runs}
    assert started(requests, runs[0]) == large


@pytest.mark.parametrize("size", [MOST_INPUT_BYTES - 100, MOST_INPUT_BYTES + 100])
def test_an_input_is_the_same_on_both_sides_of_the_limit(
    tick: Callable[[], list[dg.RunRequest]], requests: Requests, size: int
) -> None:
    # Not to be compressed: what decides is the size of the text.
    value = [uuid4().hex for _ in range(size // 36)]
    requests.start("f", value)
    [run] = tick()
    assert started(requests, run) == value


def test_what_postgres_compresses_well_does_not_pass_for_small(
    tick: Callable[[], list[dg.RunRequest]], requests: Requests
) -> None:
    requests.start("f", "x" * 4 * MB)
    [run] = tick()
    assert list(run.run_config["inputs"]["flow_input"]) == ["dagster-pgflow/input"]


def test_more_poisoned_rows_than_a_tick_takes_hold_up_nobody(
    tick: Callable[[], list[dg.RunRequest]], requests: Requests, sql: Session
) -> None:
    for _ in range(REQUESTS_PER_TICK):
        insert_past_the_functions(sql, "1e5000")
    good = requests.start("f", {})
    assert [request.run_key for _ in range(2) for request in tick()] == [str(good)]
