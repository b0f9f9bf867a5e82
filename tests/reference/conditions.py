"""When the conditions of a step hold: patterns as PostgreSQL has them, and expressions.

A pattern is contained as the chapter on jsonb in PostgreSQL's manual says: "The contained object
must match the containing object as to structure and data contents, possibly after discarding some
non-matching array elements or object key/value pairs"; the order of array elements does not
matter, nor how often one occurs.

This knows no CEL, only what each of a few expressions means.
"""

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

from dagster_pgflow.model.step import Step


def conditions_hold(step: Step, step_input: Any, flow_input: Any) -> bool:
    """Say whether all conditions that a step has hold."""
    asked = _values(step, step_input, flow_input)
    return (
        (step.if_ is None or contains(step_input, step.if_))
        and (step.if_not is None or not contains(step_input, step.if_not))
        and (step.run_if is None or _answer(step.run_if, asked))
        and (step.run_unless is None or not _answer(step.run_unless, asked))
    )


def contains(value: Any, pattern: Any) -> bool:
    """Say whether `value @> pattern` holds for a pattern that is an object, and what is in it."""
    if isinstance(pattern, dict):
        if not isinstance(value, dict):
            return False
        return all(key in value and contains(value[key], pattern[key]) for key in pattern)
    if isinstance(pattern, list):
        if not isinstance(value, list):
            return False
        return all(any(contains(element, wanted) for element in value) for wanted in pattern)
    return not isinstance(value, dict | list) and _scalar(value) == _scalar(pattern)


def _scalar(value: Any) -> tuple[str, Any]:
    """Return a scalar such that Python finds equal what is equal: true is not 1, but 1.0 is."""
    match value:
        case None:
            return "null", None
        case bool():
            return "boolean", value
        case int() | float():
            # Exactly the number that the JSON text says.
            return "number", Fraction(repr(value))
        case _:
            return "text", value


Values = Mapping[str, Any]

EXPRESSIONS: Mapping[str, tuple[tuple[str, ...], Callable[[Values], Any]]] = {
    "true": ((), lambda _: True),
    "size(deps) > 1": (("deps",), lambda given: len(given["deps"]) > 1),
    "has(deps.a) || 'b' in deps": (
        ("deps",),
        lambda given: "a" in given["deps"] or "b" in given["deps"],
    ),
    "type(input) == map": (("input",), lambda given: isinstance(given["input"], dict)),
    "type(flow_input) == list": (
        ("flow_input",),
        lambda given: isinstance(given["flow_input"], list),
    ),
    "type(output) == list && size(output) > 1": (
        ("output",),
        lambda given: isinstance(given["output"], list) and len(given["output"]) > 1,
    ),
    "output == null": (("output",), lambda given: given["output"] is None),
    "flow_input.ok": (("flow_input",), lambda given: given["flow_input"]["ok"]),
    "ctx.step_slug.startsWith('a')": ((), lambda given: given["ctx"].startswith("a")),
}
"""What an expression asks for, and its meaning in Python, which may raise like it."""


def _values(step: Step, step_input: Any, flow_input: Any) -> dict[str, Any]:
    deps = step_input if step.depends_on else {}
    values = {"input": step_input, "flow_input": flow_input, "deps": deps, "ctx": step.slug}
    if len(set(step.depends_on)) == 1 and step.depends_on[0] in deps:
        values["output"] = deps[step.depends_on[0]]
    return values


def _answer(text: str, values: Values) -> bool:
    """Return what an expression says: without an answer of yes or no, it is no."""
    roots, meaning = EXPRESSIONS[text]
    try:
        answer = meaning(values)
        unanswerable = any(_has_long_integer(values[root]) for root in roots)
    except (KeyError, TypeError, IndexError):
        return False
    return answer is True and not unanswerable


def _has_long_integer(value: Any) -> bool:
    """Say whether a value has an integer of more than 64 bits."""
    match value:
        case dict():
            return any(_has_long_integer(item) for item in value.values())
        case list():
            return any(_has_long_integer(item) for item in value)
        case int():
            return not -(2**63) <= value < 2**64
        case _:
            return False
