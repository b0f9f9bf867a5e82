"""Writing a flow in Python."""

from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.options import FlowOptions, StepOptions
from dagster_pgflow.model.steps import MapStep, SingleStep, SubflowStep
from dagster_pgflow.runtime.handlers import handler


class Item(BaseModel):
    amount: int


@handler("price")
def price(item: Item) -> float:
    return item.amount * 1.5


@handler("plain")
def plain(value):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    return value


def test_each_method_returns_a_new_flow_and_leaves_the_old_one_alone() -> None:
    empty = Flow("order")
    one = empty.step("fetch")
    two = one.map("price", depends_on="fetch").subflow("pay", "payment", depends_on="price")
    assert [len(flow.steps) for flow in (empty, one, two)] == [0, 1, 3]
    assert [type(step) for step in two.steps] == [SingleStep, MapStep, SubflowStep]


def test_a_flow_and_its_steps_cannot_be_changed() -> None:
    flow = Flow("order").step("fetch")
    with pytest.raises(ValidationError, match="frozen"):
        flow.slug = "other"  # type: ignore[misc]
    with pytest.raises(ValidationError, match="frozen"):
        flow.steps[0].slug = "other"  # type: ignore[misc]


def test_dependencies_are_one_slug_or_many() -> None:
    flow = Flow("f").step("a").step("b", depends_on="a").step("c", depends_on=["a", "b"])
    assert [step.depends_on for step in flow.steps] == [(), ("a",), ("a", "b")]


def test_options_of_a_step_are_keyword_arguments() -> None:
    flow = Flow("f").map(
        "a", max_attempts=1, base_delay=2, timeout=3, start_delay=4, max_delay=5, jitter="full"
    )
    [step] = flow.steps
    assert step.options == StepOptions(
        max_attempts=1, base_delay=2, timeout=3, start_delay=4, max_delay=5, jitter="full"
    )


def test_what_a_map_step_has_of_its_own_is_keyword_arguments() -> None:
    flow = Flow("f").map("a", batch_size=5, collect_errors=True).map("b", pipelined=True)
    one, two = flow.steps
    assert isinstance(one, MapStep)
    assert isinstance(two, MapStep)
    assert (one.batch_size, one.collect_errors, one.pipelined) == (5, True, False)
    assert (two.batch_size, two.collect_errors, two.pipelined) == (None, False, True)


def test_conditions_of_a_step_are_keyword_arguments() -> None:
    flow = Flow("f").step(
        "a", if_={"x": 1}, if_not={"y": 2}, when_unmet="skip-cascade", when_exhausted="skip"
    )
    [step] = flow.steps
    assert (step.if_, step.if_not) == ({"x": 1}, {"y": 2})
    assert (step.when_unmet, step.when_exhausted) == ("skip-cascade", "skip")


def test_options_of_a_flow_are_keyword_arguments_or_an_object() -> None:
    expected = FlowOptions(max_attempts=2, timeout=9)
    assert Flow("f", max_attempts=2, timeout=9).options == expected
    assert Flow("f", options=expected).options == expected


@pytest.mark.parametrize("options", [{"timeout": 9}, FlowOptions(timeout=9)])
def test_options_given_in_both_ways_are_merged(options: Any) -> None:
    assert Flow("f", options=options, max_attempts=2).options == FlowOptions(
        max_attempts=2, timeout=9
    )


def test_a_handler_gives_the_step_its_name_and_its_schemas() -> None:
    [step] = Flow("f").step("a", price).steps
    assert isinstance(step, SingleStep)
    assert step.handler == "price"
    assert step.input_schema == Item.model_json_schema()
    assert step.output_schema == {"type": "number"}


def test_a_handler_without_hints_gives_no_schemas() -> None:
    [step] = Flow("f").step("a", plain).steps
    assert isinstance(step, SingleStep)
    assert (step.handler, step.input_schema, step.output_schema) == ("plain", None, None)


def test_a_handler_may_be_named_before_it_exists() -> None:
    [step] = Flow("f").step("a", "later", params={"x": 1}).steps
    assert isinstance(step, SingleStep)
    assert (step.handler, step.params) == ("later", {"x": 1})


def test_a_subflow_is_named_by_its_flow_or_its_slug() -> None:
    payment = Flow("payment").step("charge")
    assert Flow("f").subflow("a", payment) == Flow("f").subflow("a", "payment")


def test_the_schemas_of_a_flow_may_be_types() -> None:
    flow = Flow("f", input_schema=Item, output_schema=list[int])
    assert flow.input_schema == Item.model_json_schema()
    assert flow.output_schema == {"type": "array", "items": {"type": "integer"}}


def test_a_schedule_starts_the_flow_with_an_empty_object_unless_told_otherwise() -> None:
    flow = Flow("f").schedule("nightly", "0 2 * * *").schedule("hourly", "0 * * * *", input=[1])
    assert [schedule.input for schedule in flow.schedules] == [{}, [1]]


def test_a_flow_may_hold_problems_until_it_is_validated() -> None:
    flow = Flow("not a slug").step("a", depends_on="nothing").map("m", max_attempts=-1)
    assert len(flow.steps) == 2
