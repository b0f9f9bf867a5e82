"""What is told about a wrong call of `Flow(...)`, `.step(...)` and the like."""

from typing import Any

import pytest
from pydantic import ValidationError

from dagster_pgflow.errors import InvalidFlow
from dagster_pgflow.model.flow import Flow

FLOW = Flow("order")


def told(method: str, *positional: Any, **arguments: Any) -> list[str]:
    """Returns what is wrong with a call, and where."""
    call = Flow if method == "Flow" else getattr(FLOW, method)
    with pytest.raises(InvalidFlow) as caught:
        call(*positional, **arguments)
    return [f"{problem.path}: {problem.message}" for problem in caught.value.problems]


def test_the_error_names_flow_step_and_argument() -> None:
    with pytest.raises(InvalidFlow) as caught:
        FLOW.step("charge", retries=3)  # type: ignore[call-arg]
    assert str(caught.value) == (
        'Flow "order" has 1 problem:\n  - steps.charge.retries: .step() has no argument "retries";'
        ' "max_attempts" may be meant. [unknown-argument]'
    )
    assert caught.value.flow_slug == "order"


@pytest.mark.parametrize(
    ("name", "meant"),
    [("max_atempts", "max_attempts"), ("dependson", "depends_on"), ("deps", "depends_on")],
)
def test_the_argument_that_may_be_meant_is_named(name: str, meant: str) -> None:
    assert told("step", "a", **{name: 1}) == [
        f'steps.a.{name}: .step() has no argument "{name}"; "{meant}" may be meant.'
    ]


def test_without_a_likely_one_all_are_named() -> None:
    [sentence] = told("subflow", "a", "payment", zebra=1)
    assert sentence.startswith(
        'steps.a.zebra: .subflow() has no argument "zebra"; there are: flow,'
    )
    assert sentence.endswith(
        " when_unmet, when_exhausted, on_failure, depends_on, merge_input, keep_input."
    )


@pytest.mark.parametrize(
    ("method", "name", "owner"),
    [
        ("step", "batch_size", ".map()"),
        ("step", "pipelined", ".map()"),
        ("step", "flow", ".subflow()"),
        ("map", "over", ".subflow()"),
        ("subflow", "handler", ".step(), .map(), .branch() and .loop()"),
    ],
)
def test_an_argument_of_another_method_is_known(method: str, name: str, owner: str) -> None:
    positional = ("a", "payment") if method == "subflow" else ("a",)
    assert told(method, *positional, **{name: "x"}) == [
        f'steps.a.{name}: .{method}() has no argument "{name}"; that is an argument of {owner}.'
    ]


@pytest.mark.parametrize("name", ["options", "type"])
def test_what_a_step_is_made_of_is_no_argument(name: str) -> None:
    [sentence] = told("step", "a", **{name: {}})
    assert f'.step() has no argument "{name}"' in sentence


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("max_attempts", "many", "max_attempts is 'many'; it must be a whole number."),
        ("timeout", 1.5, "timeout is 1.5; it must be a whole number."),
        ("pipelined", "x", "pipelined is 'x'; it must be True or False."),
        (
            "jitter",
            "ful",
            "jitter is 'ful'; it must be 'none', 'full' or 'plus-minus', and 'full' may be meant.",
        ),
        (
            "when_exhausted",
            3,
            "when_exhausted is 3; it must be 'fail', 'skip' or 'skip-cascade'.",
        ),
        ("depends_on", 5, "depends_on is 5; it must be a slug, or a list of slugs."),
        ("depends_on", ["b", 5], "depends_on[1] is 5; it must be text."),
        ("params", 5, "params is 5; it must be a dict."),
        ("if_", "x", "if_ is 'x'; it must be a dict."),
        ("description", None, "description is None; it must be text."),
    ],
)
def test_an_argument_that_cannot_be_what_it_is_is_told(
    name: str, value: Any, sentence: str
) -> None:
    assert told("map", "m", **{name: value}) == [f"steps.m.{name}: {sentence}"]


def test_of_what_may_have_two_forms_is_told_once() -> None:
    assert told("subflow", "s", "payment", output=5) == [
        "steps.s.output: output is 5; it must be a dict, or text with a reference."
    ]


def test_a_function_that_is_no_handler_yet_is_told() -> None:
    [sentence] = told("step", "a", len)
    assert sentence.endswith(
        "it must be the name of a handler, or a function with @handler before it."
    )


def test_everything_that_is_wrong_with_a_call_is_told_at_once() -> None:
    assert len(told("map", "m", retries=1, max_attempts="x", jitter="x")) == 3


def test_the_arguments_of_a_flow_are_told_in_the_same_way() -> None:
    assert told("Flow", "order", owner="me", timout=3, max_attempts="x", tags={"a": 1}) == [
        "max_attempts: max_attempts is 'x'; it must be a whole number.",
        "tags: tags['a'] is 1; it must be text.",
        (
            'owner: Flow() has no argument "owner"; there are: slug, description, input_schema,'
            " output_schema, merge_output, options, tags, steps, schedules, max_attempts,"
            " base_delay, timeout, timeout_ms, max_delay, jitter, max_concurrent_runs,"
            " concurrency_key, max_concurrent_runs_per_key, on_event, max_recoveries."
        ),
        'timout: Flow() has no argument "timout"; "timeout" may be meant.',
    ]
    assert told("Flow", 5) == ["slug: slug is 5; it must be text."]
    assert told("Flow", "order", input_schema="text") == [
        "input_schema: input_schema is 'text'; it must be a JSON Schema, or a type."
    ]


def test_the_arguments_of_a_schedule_are_told_in_the_same_way() -> None:
    assert told("schedule", "nightly", 5) == ["schedules.nightly.cron: cron is 5; it must be text."]


def test_a_document_is_told_about_by_who_reads_it() -> None:
    with pytest.raises(ValidationError, match="owner"):
        Flow.model_validate({"slug": "order", "owner": "me"})


@pytest.mark.parametrize("given", ["yes", "true", 1, None])
@pytest.mark.parametrize(
    ("method", "name"),
    [
        ("Flow", "merge_output"),
        ("step", "merge_input"),
        ("step", "keep_input"),
        ("step", "coerce"),
        ("map", "collect_errors"),
        ("map", "pipelined"),
    ],
)
def test_yes_and_one_are_not_true(method: str, name: str, given: Any) -> None:
    [sentence] = told(method, "a", **{name: given})
    assert sentence.endswith(f"{name} is {given!r}; it must be True or False.")
