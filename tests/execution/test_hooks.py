"""Handlers around handlers, and values that are held to schemas, in real Dagster."""

from typing import Any

import pytest

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.runtime.context import StepContext
from dagster_pgflow.step_errors import NonRetryable
from tests.execution.harness import Handlers, run

N = {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}}


def once(value: Any, ctx: StepContext) -> Any:
    if ctx.attempt == 1:
        raise ValueError("too early")
    return value


def typed(value: dict[str, int]) -> list[str]:
    return sorted(value)


def refuses(_: Any) -> Any:
    raise NonRetryable("not today")


HANDLERS: Handlers = {
    "double": lambda value: value * 2,
    "plus": lambda value, ctx: value + ctx.flow_input["by"],
    "name": lambda value, ctx: f"{ctx.task_path}:{ctx.params.get('unit', '')}:{value}",
    "once": once,
    "typed": typed,
    "refuses": refuses,
    "n": lambda value: value["n"],
    "text": lambda _: {"n": "five"},
    "half": lambda _: {"n": 0.5},
    "whole": lambda _: {"n": 949.0},
}


def test_handlers_before_and_after_see_each_element_of_a_map() -> None:
    flow = (
        Flow("f")
        .step("list", "give", params={"value": [1, 2]})
        .map(
            "each",
            "double",
            depends_on="list",
            before=["double", "plus"],
            after="name",
            params={"unit": "$input.unit"},
        )
    )
    result = run(flow, {"by": 5, "unit": "kg"}, handlers=HANDLERS)
    assert result.outputs["each"] == ["each[0]:kg:14", "each[1]:kg:18"]


def test_branches_and_loops_decide_on_what_comes_after() -> None:
    flow = (
        Flow("f")
        .branch(
            "route",
            handler="double",
            rules=[("output == 7", "odd")],
            default_path="even",
            after="plus",
        )
        .step("odd", "echo", depends_on="route")
        .step("even", "echo", depends_on="route")
    )
    handlers = {**HANDLERS, "double": lambda value: value["n"] * 2}
    assert run(flow, {"n": 3, "by": 1}, handlers=handlers).outputs["odd"] == {"route": 7}


def test_an_attempt_begins_anew_with_all_of_them() -> None:
    flow = Flow("f", base_delay=0).step("a", "echo", before="once", after="typed")
    result = run(flow, {"x": 1}, handlers=HANDLERS)
    assert (result.outputs["a"], result.retries) == (["x"], {"a": 1})


@pytest.mark.parametrize(
    ("hooks", "told"),
    [
        ({"before": "refuses"}, 'Handler "refuses" before step "a" (flow "f", attempt 1) raised'),
        ({"after": "refuses"}, 'Handler "refuses" after step "a" (flow "f", attempt 1) raised'),
        (
            {"before": ["echo", "typed"]},
            'Handler "typed" before step "a" (flow "f", attempt 1) cannot take its input',
        ),
    ],
    ids=["before", "after", "type"],
)
def test_an_error_says_which_handler_around_which_step(hooks: dict[str, Any], told: str) -> None:
    result = run(
        Flow("f", max_attempts=1).step("a", "echo", **hooks), {"x": "y"}, handlers=HANDLERS
    )
    assert told in result.error


def test_a_handler_around_another_that_is_not_there_fails_the_step() -> None:
    flow = Flow("f").step("a", "echo", after=["typed", "missing"])
    result = run(flow, {}, handlers=HANDLERS)
    assert result.error.startswith(
        'Step "a" names "missing" in after, and this code location registers no handler of that'
        " name; add a function decorated with @handler under it."
    )


def held(check_schemas: Any, coerce: bool = False, handler: str = "echo") -> Flow:
    document = (
        Flow("f", base_delay=0, max_attempts=2)
        .step("a", handler, check_schemas=check_schemas, coerce=coerce)
        .to_json()
    )
    document["steps"][0] |= {"input_schema": N, "output_schema": N}
    return Flow.model_validate(document)


def test_a_strict_step_fails_at_once_for_its_input_and_tries_again_for_its_output() -> None:
    result = run(held("strict"), {"m": 1})
    assert (result.error, result.retries) == (
        "The input of step \"a\" does not fit its schema: $: 'n' is a required property.",
        {},
    )
    result = run(held("strict", handler="text"), {"n": 1}, handlers=HANDLERS)
    assert result.retries == {"a": 1}
    assert 'The output of step "a" does not fit its schema: $.n: ' in result.error


def test_a_step_that_warns_or_looks_away_goes_on() -> None:
    for check in ("warn", "off"):
        assert run(held(check), {"m": 1}).outputs["a"] == {"m": 1}


def test_whole_numbers_become_integers_and_others_do_not_fit() -> None:
    result = run(held("strict", coerce=True, handler="whole"), {"n": 1.0}, handlers=HANDLERS)
    assert str(result.outputs["a"]) == "{'n': 949}"
    result = run(held("strict", coerce=True, handler="half"), {"n": 1.0}, handlers=HANDLERS)
    assert not result.success


@pytest.mark.parametrize("handler", ["echo", None])
def test_a_route_says_what_the_output_must_be_when_it_is_taken(handler: str | None) -> None:
    text = {"type": "object", "properties": {"why": {"type": "string"}}, "required": ["why"]}
    rule = {"when": "output.n > 5", "then": "yes", "label": "large", "output_schema": text}
    flow = (
        Flow("f", max_attempts=1)
        .branch("route", rules=[rule], default_path="no", handler=handler, check_schemas="strict")
        .step("yes", "echo", depends_on="route")
        .step("no", "echo", depends_on="route")
    )
    assert run(flow, {"n": 6, "why": "so"}).skips == {"no": "not_taken"}
    assert run(flow, {"n": 1}).skips == {"yes": "not_taken"}
    assert run(flow, {"n": 6}).error.startswith(
        'The output of step "route", which takes the route "large", does not fit its schema: $: '
    )


def test_a_flow_that_requires_what_is_not_there_has_a_job_that_says_so() -> None:
    flow = Flow("f").step("a", "uses", requires=["lake", "river"])
    uses = {"uses": lambda _, ctx: ctx.resources.lake}
    result = run(flow, handlers=uses, resources={"lake": "deep"})
    assert 'Step "a" requires the resource "river", and this code location has none' in result.error
    result = run(flow, handlers=uses, resources={"lake": "deep", "river": "wide"})
    assert result.outputs["a"] == "deep"
