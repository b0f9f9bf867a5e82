import uuid
from typing import Any

import pytest

from dagster_pgflow.errors import InvalidInput, StoreRefused, UnknownFlow
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.step_errors import ValueNotJson
from dagster_pgflow.store.flows import FlowBuilder
from dagster_pgflow.store.requests import Requests
from tests.postgres import Session


@pytest.fixture(autouse=True)
def flow(builder: FlowBuilder) -> None:
    builder.define_flow(Flow("f").step("a"))


def test_a_request_is_pending_until_dagster_has_a_run_of_it(
    requests: Requests, sql: Session
) -> None:
    run_id = requests.start("f", {"x": 1})
    [pending] = requests.pending(10)
    assert (pending.run_id, pending.flow_slug, pending.version_id) == (run_id, "f", 1)
    assert requests.small_input(run_id, 100).text == '{"x": 1}'
    assert requests.small_input(run_id, 7).text is None
    assert pending.handed_over_at is None
    sql("update pgflow.runs set dagster_run_id = gen_random_uuid()")
    assert requests.pending(10) == ()


@pytest.mark.parametrize("value", [0, False, "", None, [], {"a": [None]}])
def test_any_json_value_is_an_input(requests: Requests, value: Any) -> None:
    requests.start("f", value)
    assert [requests.requested_input(str(pending.run_id)) for pending in requests.pending(1)] == [
        value
    ]


def test_the_same_run_id_is_one_request(requests: Requests) -> None:
    run_id = uuid.uuid4()
    assert requests.start("f", {"a": 1}, run_id) == run_id
    assert requests.start("f", {"a": 1}, run_id) == run_id
    assert len(requests.pending(10)) == 1
    with pytest.raises(StoreRefused, match="already exists with another input"):
        requests.start("f", {"a": 2}, run_id)


def test_what_cannot_be_started_is_refused_at_once(
    requests: Requests, builder: FlowBuilder
) -> None:
    with pytest.raises(UnknownFlow, match='no flow "nope"'):
        requests.start("nope", {})
    with pytest.raises(ValueNotJson, match='input of flow "f"'):
        requests.start("f", {"x": {1, 2}})
    builder.define_flow(Flow("f", input_schema={"type": "array"}).step("a"))
    with pytest.raises(InvalidInput, match="input is object, but must be array"):
        requests.start("f", {})
    assert requests.pending(10) == ()


def test_requests_that_need_a_newer_catalog_wait(requests: Requests, builder: FlowBuilder) -> None:
    old = requests.start("f", 1)
    builder.define_flow(Flow("f").step("b"))
    new = requests.start("f", 2)
    assert [pending.run_id for pending in requests.pending(10, up_to_version=1)] == [old]
    assert [pending.run_id for pending in requests.pending(10, up_to_version=2)] == [old, new]


def test_the_oldest_come_first_and_handed_over_ones_last(requests: Requests) -> None:
    first, second, third = (requests.start("f", number) for number in range(3))
    assert [pending.run_id for pending in requests.pending(2)] == [first, second]
    requests.hand_over([first, second])
    requests.hand_over([])
    [next_one, then] = requests.pending(2)
    assert (next_one.run_id, then.run_id in (first, second)) == (third, True)
    requests.hand_over([third])
    again = requests.pending(3)
    assert {pending.run_id for pending in again} == {first, second, third}
    assert again[-1].run_id == third
    assert all(pending.handed_over_at for pending in again)


def test_requests_that_are_offered_again_come_in_another_order(requests: Requests) -> None:
    run_ids = {requests.start("f", number) for number in range(3)}
    first = set()
    for _ in range(60):
        requests.hand_over(run_ids)
        first.add(requests.pending(3)[0].run_id)
    # So none waits for ever behind one whose launch fails each time.
    assert first == run_ids


def test_a_refused_request_ends_as_a_failed_run_with_the_reason(
    requests: Requests, sql: Session
) -> None:
    run_id = requests.start("f", {})
    assert requests.refuse(run_id, "No such handler.") is True
    assert requests.pending(10) == ()
    [(status, error, failed_at)] = sql("select status, error_message, failed_at from pgflow.runs")
    assert (status, error) == ("failed", "No such handler.")
    assert failed_at is not None
    assert requests.refuse(run_id, "Again.") is False
    assert requests.refuse(uuid.uuid4(), "Never asked for.") is False
    assert sql.value("select refused_reason from pgflow.run_requests") == "No such handler."


def test_a_run_that_dagster_has_is_not_failed_by_a_late_refusal(
    requests: Requests, sql: Session
) -> None:
    run_id = requests.start("f", {})
    sql("update pgflow.runs set dagster_run_id = gen_random_uuid(), status = 'started'")
    requests.refuse(run_id, "Too late.")
    assert sql.value("select status from pgflow.runs") == "started"
