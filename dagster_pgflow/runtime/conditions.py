"""Whether a step's conditions hold: JSON containment as PostgreSQL's `@>` has it, and CEL."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from dagster_pgflow.expressions.cel import expression, value_expression
from dagster_pgflow.json_values.shown import shown
from dagster_pgflow.model.steps import HandledStep
from dagster_pgflow.model.steps.fields import StepBase
from dagster_pgflow.runtime.asked_condition import (
    LONGEST_TEXT,
    AskedCondition,
    values_asked,
    values_at,
)
from dagster_pgflow.runtime.data_map import Received
from dagster_pgflow.step_errors import ExpressionFailed


@dataclass(frozen=True)
class Facts:
    """What a condition in CEL may ask besides the step's input.

    Attributes:
        run_id: The run's id in `pgflow.runs`.
        flow_input: Gives the input of the flow that the step belongs to.
        warn: Takes a sentence about a condition that has no answer, for the run's log.
        iteration: Which iteration of the innermost loop around it is, from 1; 0 outside of loops.
        max_iterations: How many iterations that loop has at most; 0 outside of loops.
        note: Is told of each condition and its answer, where somebody looks on.
    """

    run_id: str
    flow_input: Callable[[], Any]
    warn: Callable[[str], None]
    iteration: int = 0
    max_iterations: int = 0
    note: Callable[[AskedCondition], None] | None = None


def unmet(
    step: StepBase, received: Received, facts: Facts | None, flow_slug: str, path: str
) -> str | None:
    """Return a sentence about the first condition of a step that does not hold, or `None`.

    Args:
        step: The step.
        received: What it received.
        facts: What its conditions in CEL may ask; without them these are not asked.
        flow_slug: The flow that the step belongs to.
        path: The step's place in the run.
    """
    if facts is not None:
        note_containment(step, received.input, facts, path)
    found = unmet_condition(step, received.input)
    if found is None and facts is not None:
        found = unmet_expression(step, received, facts, flow_slug, path)
    return found


def unmet_expression(
    step: StepBase, received: Received, facts: Facts, flow_slug: str, path: str
) -> str | None:
    """Return a sentence about the first condition in CEL that does not hold, or `None`.

    An expression that has no answer counts as false, which the run's log says.

    Args:
        step: The step.
        received: What it received.
        facts: What else may be asked.
        flow_slug: The flow that the step belongs to.
        path: The step's place in the run.
    """
    if not step.expressions:
        return None
    values = values_before(step, received, facts, flow_slug, path)
    for name, text in step.expressions.items():
        asked = ask(text, values, facts)
        if asked.reason:
            facts.warn(f'Step "{path}": {name} `{text}` counts as false: {asked.reason}.')
        if asked.holds is (name == "run_unless"):
            return f"{name} {asked.told}"
    return None


def computed(text: str, values: Mapping[str, Any], facts: Facts) -> Any:
    """Return what an expression gives: any JSON.

    Args:
        text: The expression.
        values: What it may ask, by root: see `values_before`.
        facts: What else it may ask.

    Raises:
        ExpressionFailed: It gives nothing for these values.
    """
    asked = value_expression(text)
    own = {"flow_input": facts.flow_input()} if "flow_input" in asked.roots else {}
    return asked.value({**values, **own})


def values_before(
    step: StepBase, received: Received, facts: Facts, flow_slug: str, path: str
) -> dict[str, Any]:
    """Return what an expression may ask that is answered before the step begins.

    Args:
        step: The step.
        received: What it received.
        facts: What else may be asked.
        flow_slug: The flow that the step belongs to.
        path: The step's place in the run.
    """
    values = values_for(step, received, facts, flow_slug, path)
    if len(set(step.depends_on)) == 1 and step.depends_on[0] in values["deps"]:
        values["output"] = values["deps"][step.depends_on[0]]
    return values


def values_for(
    step: StepBase, received: Received, facts: Facts, flow_slug: str, path: str
) -> dict[str, Any]:
    """Return what any expression of a step may ask, by root; `flow_input` is read when needed.

    Args:
        step: The step.
        received: What it received.
        facts: What else may be asked.
        flow_slug: The flow that the step belongs to.
        path: The step's place in the run.
    """
    return {
        "input": received.input,
        "deps": received.deps,
        "ctx": {
            "run_id": facts.run_id,
            "flow_slug": flow_slug,
            "step_slug": step.slug,
            "step_path": str(path),
            "params": step.params if isinstance(step, HandledStep) else {},
            "iteration": facts.iteration,
            "max_iterations": facts.max_iterations,
        },
    }


def ask(text: str, values: Mapping[str, Any], facts: Facts) -> AskedCondition:
    """Return what an expression says, of which values, and why it says nothing if so.

    Args:
        text: CEL.
        values: What it may ask, by root: see `values_for`.
        facts: What else it may ask.
    """
    condition = expression(text)
    own = {"flow_input": facts.flow_input()} if "flow_input" in condition.roots else {}
    given = {**values, **own}
    try:
        holds, reason = condition.holds(given), ""
    except ExpressionFailed as error:
        holds, reason = False, str(error)
    path = values["ctx"]["step_path"]
    asked = AskedCondition(path, text, holds, values_asked(text, given), reason)
    if facts.note is not None:
        facts.note(asked)
    return asked


def unmet_condition(step: StepBase, step_input: Any) -> str | None:
    """Return a sentence about the first condition that does not hold, or `None`.

    Args:
        step: The step.
        step_input: Its input.
    """
    for name, pattern in _patterns(step):
        holds = contains(step_input, pattern)
        if holds is (name == "if_not"):
            told = shown(pattern, LONGEST_TEXT)
            lacks = _containment(name, pattern, step_input).because
            verb, because = ("contains", "") if holds else ("does not contain", lacks)
            return f"its input {verb} {told}{because}"
    return None


def note_containment(step: StepBase, step_input: Any, facts: Facts, path: str) -> None:
    """Tell whoever looks on what `if` and `if_not` of a step say.

    Args:
        step: The step.
        step_input: Its input.
        facts: Has who looks on.
        path: The step's place in the run.
    """
    if facts.note is None:
        return
    for name, pattern in _patterns(step):
        facts.note(_containment(name, pattern, step_input, path))


def _patterns(step: StepBase) -> Iterator[tuple[str, Any]]:
    for name, pattern in (("if", step.if_), ("if_not", step.if_not)):
        if pattern is not None:
            yield name, pattern


def _containment(name: str, pattern: Any, step_input: Any, path: str = "") -> AskedCondition:
    text, holds = f"{name} {json.dumps(pattern)}", contains(step_input, pattern)
    return AskedCondition(path, text, holds, values_at(step_input, pattern, "input"))


def contains(value: Any, pattern: Any) -> bool:
    """Return whether `value @> pattern` holds in jsonb, for a pattern that is an object.

    >>> contains({"a": [1, {"b": 2}], "c": 3}, {"a": [{"b": 2.0}]})
    True
    """
    match pattern:
        case dict():
            return isinstance(value, dict) and all(
                key in value and contains(value[key], wanted) for key, wanted in pattern.items()
            )
        case list():
            return isinstance(value, list) and all(
                any(contains(item, wanted) for item in value) for wanted in pattern
            )
        case _:
            # Python takes True for 1; jsonb does not.
            same_kind = isinstance(value, bool) == isinstance(pattern, bool)
            return same_kind and bool(_number(value) == _number(pattern))


def _number(value: Any) -> Any:
    """Return a float as the decimal number that its text says, which is what jsonb compares."""
    return Decimal(repr(value)) if isinstance(value, float) else value
