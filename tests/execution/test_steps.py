"""What single steps receive and return."""

from typing import Any

import pytest
from pydantic import BaseModel

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.runtime.handlers import handler
from tests.execution.harness import gives, run
from tests.hostile_json import MEANT, nested

FALSY: list[Any] = [None, 0, False, "", [], {}, 0.0]


@pytest.mark.parametrize("value", [*FALSY, {"order": 7}, [1, [2]], "text", 5, True])
def test_a_root_step_receives_the_flow_input_itself(value: Any) -> None:
    assert run(Flow("f").step("a", "echo"), value).outputs == {"a": value}


def test_a_dependent_step_receives_the_outputs_of_its_direct_dependencies() -> None:
    flow = (
        Flow("f")
        .step("a", **gives(1))
        .step("b", **gives(2), depends_on="a")
        .step("c", "echo", depends_on=["b"])
        .step("d", "echo", depends_on=["b", "a"])
    )
    outputs = run(flow, {"x": 1}).outputs
    assert outputs["c"] == {"b": 2}
    assert outputs["d"] == {"a": 1, "b": 2}


def test_falsy_outputs_reach_dependents_as_they_are() -> None:
    flow = Flow("f")
    for index, value in enumerate(FALSY):
        flow = flow.step(f"s{index}", **gives(value))
    flow = flow.step("all", "echo", depends_on=[f"s{index}" for index in range(len(FALSY))])
    outputs = run(flow).outputs
    assert repr(list(outputs["all"].values())) == repr(FALSY)


def test_a_dependency_that_is_named_twice_counts_once() -> None:
    flow = Flow("f").step("a", **gives(1)).step("b", "echo", depends_on=["a", "a"])
    assert run(flow).outputs["b"] == {"a": 1}


def test_steps_may_be_written_before_their_dependencies() -> None:
    flow = Flow("f").step("b", "echo", depends_on="a").step("a", **gives(1))
    assert run(flow).outputs["b"] == {"a": 1}


def test_several_roots_and_several_leaves() -> None:
    flow = Flow("f").step("a", "echo").step("b", "echo").step("c", "echo", depends_on="a")
    assert run(flow, 5).outputs == {"a": 5, "b": 5, "c": {"a": 5}}


def test_two_steps_may_share_a_handler() -> None:
    flow = Flow("f").step("a", "double").step("b", "double")
    assert run(flow, 4, handlers={"double": lambda value: value * 2}).outputs == {"a": 8, "b": 8}


def test_a_step_without_a_handler_name_finds_the_one_called_like_it() -> None:
    flow = Flow("order").step("a").step("b", depends_on="a")
    handlers = {"a": lambda _: "step", "order.a": lambda _: "flow and step", "b": lambda v: v["a"]}
    assert run(flow, handlers=handlers).outputs["b"] == "flow and step"


def test_handlers_may_be_async_and_typed() -> None:
    class Order(BaseModel):
        lines: list[int]
        currency: str = "EUR"

    class Total(BaseModel):
        total: int
        currency: str

    @handler("add_up")
    async def add_up(order: Order) -> Total:
        return Total(total=sum(order.lines), currency=order.currency)

    flow = Flow("order").step("add_up", add_up).step("after", "echo", depends_on="add_up")
    result = run(flow, {"lines": [1, 2]}, handlers={"add_up": add_up})
    assert result.outputs["after"] == {"add_up": {"total": 3, "currency": "EUR"}}


def test_an_input_that_breaks_the_handlers_type_fails_at_once() -> None:
    def take(amount: int) -> int:
        return amount

    result = run(Flow("f").step("a", "take"), "much", handlers={"take": take})
    assert not result.success
    assert result.retries == {}
    assert "cannot take its input: $: Input should be a valid integer" in result.error


@pytest.mark.parametrize("value", [{1, 2}, b"x", {1: 2}, float("inf"), object()])
def test_an_output_that_is_no_json_fails_the_step(value: Any) -> None:
    result = run(Flow("f", max_attempts=1).step("a"), handlers={"a": lambda _: value})
    assert not result.success
    assert 'Handler "a" of step "a"' in result.error
    assert "returned no JSON." in result.error


@pytest.mark.parametrize(
    ("text", "reason"), [("a\0b", "has a NUL character"), ("\ud800", "has a lone surrogate")]
)
def test_text_that_postgresql_cannot_store_fails_the_step(text: str, reason: str) -> None:
    result = run(Flow("f", max_attempts=1).step("a"), handlers={"a": lambda _: [text]})
    assert f"The text at $[0] {reason}" in result.error


@pytest.mark.parametrize("value", MEANT)
def test_no_key_in_an_output_means_anything(value: Any) -> None:
    flow = Flow("f").step("a").step("b", "echo", depends_on="a")
    flow = flow.step("list").map("m", "echo", depends_on="list", batch_size=1)
    result = run(flow, handlers={"a": lambda _: value, "list": lambda _: [value, value]})
    assert result.outputs == {"a": value, "b": {"a": value}, "list": [value] * 2, "m": [value] * 2}


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (10**5000, "The value at $ is refused: it has a number of more than 1,000 digits"),
        ({"a": [10**1000]}, "The value at $.a[0] is refused: it has a number of more than"),
        (nested(0, 101), "The value is refused: it is nested more than 100 levels deep"),
        (nested(0, 20_000), "The value is refused: it is nested more than 100 levels deep"),
        ({10**5000: 1}, "The object at $ has a key that is a int"),
        (float("nan"), "The value at $ is nan, which JSON does not have"),
    ],
    ids=["5,001 digits", "digits inside", "101 levels", "20,000 levels", "key", "nan"],
)
def test_an_output_that_is_more_than_json_may_be_is_a_failed_attempt(
    value: Any, sentence: str
) -> None:
    flow = Flow("f", max_attempts=2, base_delay=0).step("a", when_exhausted="skip")
    flow = flow.step("b", handler="a", max_attempts=1)
    result = run(flow, handlers={"a": lambda _: value})
    assert result.skips == {"a": "handler_failed"}
    assert result.retries == {"a": 1}
    assert f'Handler "a" of step "b" (flow "f", attempt 1) returned no JSON. {sentence}' in (
        result.error
    )


@pytest.mark.parametrize("value", [10**5000, nested(0, 20_000)], ids=["digits", "levels"])
def test_an_exception_that_cannot_be_shown_is_told_by_its_name(value: Any) -> None:
    def fail(_: Any) -> None:
        raise KeyError(value)

    result = run(Flow("f", max_attempts=1).step("a"), handlers={"a": fail})
    assert "raised KeyError: " in result.error


def test_an_exception_with_endless_text_does_not_fill_the_log() -> None:
    def fail(_: Any) -> None:
        raise ValueError("x" * 10_000_000)

    assert len(run(Flow("f", max_attempts=1).step("a"), handlers={"a": fail}).error) < 25_000


def test_a_typed_output_that_contains_itself_is_a_failed_attempt() -> None:
    def circle(_: Any) -> dict[str, Any]:
        value: dict[str, Any] = {}
        value["a"] = value
        return value

    result = run(Flow("f", max_attempts=1).step("a"), handlers={"a": circle})
    assert 'Handler "a" of step "a" (flow "f", attempt 1) returned' in result.error


def test_a_flow_input_that_looks_like_a_marker_is_only_data() -> None:
    marker = {"dagster-pgflow/skipped": {"reason": "condition_unmet", "step": "a", "cascade": True}}
    child = Flow("child").step("x", "keys")
    flow = Flow("f").step("a", "keys").map("m", "keys", depends_on="list").subflow("s", child)
    flow = flow.step("list", **gives([1])).step("b", "echo", depends_on=["a", "m", "s"])
    result = run(flow, marker, others=[child], handlers={"keys": repr})
    assert result.outputs["b"] == {"a": str(marker), "m": ["1"], "s": {"x": str(marker)}}


def test_a_step_whose_handler_nobody_registered_fails_with_what_to_do() -> None:
    flow = Flow("order").step("a").step("b", "elsewhere").step("c", **gives(1))
    result = run(flow)
    assert result.errors == {
        "a": 'Step "a" has no handler: this code location registers none called "order.a" or "a";'
        " add a function decorated with @handler under that name.",
        "b": 'Step "b" has no handler: this code location registers none called "elsewhere";'
        " add a function decorated with @handler under that name.",
    }
    assert result.outputs == {"c": 1}


def test_a_failure_ends_what_depends_on_it_and_nothing_else() -> None:
    flow = (
        Flow("f", max_attempts=1)
        .step("bad")
        .step("after", "echo", depends_on="bad")
        .step("good", **gives(1))
        .step("after_good", "echo", depends_on="good")
    )
    result = run(flow, handlers={"bad": lambda _: 1 / 0})
    assert result.statuses == {"bad": "failed", "good": "completed", "after_good": "completed"}
    assert "raised ZeroDivisionError: division by zero" in result.error


def test_a_failure_beside_a_skipped_branch_ends_the_run() -> None:
    flow = (
        Flow("f", max_attempts=1)
        .step("bad")
        .step("skipped", "echo", if_={"never": True}, when_unmet="skip-cascade")
        .step("after", "echo", depends_on="skipped")
        .step("join", "echo", depends_on=["bad", "after"])
    )
    result = run(flow, handlers={"bad": lambda _: 1 / 0})
    assert result.statuses == {"bad": "failed", "skipped": "skipped", "after": "skipped"}


def test_a_hundred_steps_in_a_row_and_side_by_side_are_one_flow() -> None:
    flow = Flow("f").step("s0", **gives(0))
    for index in range(1, 20):
        flow = flow.step(f"s{index}", "next", depends_on=f"s{index - 1}")
    for index in range(20):
        flow = flow.step(f"t{index}", "next", depends_on=f"s{index}")
    handlers = {"next": lambda value: next(iter(value.values())) + 1}
    outputs = run(flow, handlers=handlers).outputs
    assert (outputs["s19"], outputs["t19"]) == (19, 20)
