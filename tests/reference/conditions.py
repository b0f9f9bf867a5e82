"""When the conditions of a step hold: patterns as PostgreSQL has them, and expressions.

A pattern is contained as the chapter on jsonb in PostgreSQL's manual says: "The contained object
must match the containing object as to structure and data contents, possibly after discarding some
non-matching array elements or object key/value pairs"; the order of array elements does not
matter, nor how often one occurs.

This knows no CEL, only what each of a few expressions means.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from dagster_pgflow.model.steps import Step


@dataclass(frozen=True)
class Asked:
    """What the conditions of a step are about.

    Attributes:
        input: The step's input.
        flow_input: That of its flow.
        flow_slug: The flow.
        path: The step's place in the run.
        iteration: Which iteration of the loop around it is, 0 outside of loops.
        max_iterations: How many there are at most.
        deps: What the dependencies returned by name, where the input may be something else.
    """

    input: Any
    flow_input: Any
    flow_slug: str
    path: str
    iteration: int = 0
    max_iterations: int = 0
    deps: Mapping[str, Any] | None = None


def conditions_hold(step: Step, asked: Asked) -> bool:
    """Return whether all conditions that a step has hold."""
    values = _values(step, asked)
    return (
        (step.if_ is None or contains(asked.input, step.if_))
        and (step.if_not is None or not contains(asked.input, step.if_not))
        and (step.run_if is None or _answer(step.run_if, values))
        and (step.run_unless is None or not _answer(step.run_unless, values))
    )


def says(text: str, step: Step, asked: Asked, output: Any) -> bool:
    """Return whether a condition holds by which a branch or a loop decides with its output."""
    return _answer(text, {**_values(step, asked), "output": output})


def contains(value: Any, pattern: Any) -> bool:
    """Return whether `value @> pattern` holds, for a pattern that is an object or lies in one."""
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
    "'a' in deps || 'b' in deps": (
        ("deps",),
        lambda given: "a" in given["deps"] or "b" in given["deps"],
    ),
    "deps.all(slug, deps[slug] != null)": (
        ("deps",),
        lambda given: all(value is not None for value in given["deps"].values()),
    ),
    "type(input) == map": (("input",), lambda given: isinstance(given["input"], dict)),
    "'a' in input": (("input",), lambda given: "a" in _one_of(given["input"], list, dict)),
    "!(size(input) > 1)": (
        ("input",),
        lambda given: not len(_one_of(given["input"], list, dict, str)) > 1,
    ),
    "type(flow_input) == list": (
        ("flow_input",),
        lambda given: isinstance(given["flow_input"], list),
    ),
    # An `or` has an answer as soon as one of its sides says yes.
    "flow_input.ok || type(flow_input) != map": (
        ("flow_input",),
        lambda given: not isinstance(given["flow_input"], dict) or _yes_or_no(given["flow_input"]),
    ),
    "flow_input == null || size(flow_input) == 0": (
        ("flow_input",),
        lambda given: (
            given["flow_input"] is None or not len(_one_of(given["flow_input"], list, dict, str))
        ),
    ),
    "type(output) == list && size(output) > 1": (
        ("output",),
        lambda given: isinstance(given["output"], list) and len(given["output"]) > 1,
    ),
    "output == null": (("output",), lambda given: given["output"] is None),
    "output[0] == true": (("output",), lambda given: _one_of(given["output"], list)[0] is True),
    "output.exists(item, type(item) == list)": (
        ("output",),
        lambda given: any(isinstance(item, list) for item in _one_of(given["output"], list)),
    ),
    "flow_input.ok": (("flow_input",), lambda given: given["flow_input"]["ok"]),
    "ctx.step_slug.startsWith('a')": ((), lambda given: given["ctx"]["slug"].startswith("a")),
    "ctx.step_path.contains('.')": ((), lambda given: "." in given["ctx"]["path"]),
    "ctx.flow_slug == 'top'": ((), lambda given: given["ctx"]["flow"] == "top"),
    "ctx.iteration < 2": ((), lambda given: given["ctx"]["iteration"] < 2),
    "ctx.iteration == 2": ((), lambda given: given["ctx"]["iteration"] == 2),
    "ctx.iteration % 2 == 1": ((), lambda given: given["ctx"]["iteration"] % 2 == 1),
    "ctx.iteration < ctx.max_iterations": (
        (),
        lambda given: given["ctx"]["iteration"] < given["ctx"]["max_iterations"],
    ),
}
"""What an expression asks for, and its meaning in Python, which may raise like it."""

DECISIONS = (
    "output == null",
    "type(output) == list && size(output) > 1",
    "output[0] == true",
    "type(input) == map",
    "'a' in input",
    "flow_input.ok",
    "type(flow_input) == list",
    "'a' in deps || 'b' in deps",
    "true",
)
"""Those by which branches and loops decide."""

OF_PASSES = (
    "ctx.iteration < 2",
    "ctx.iteration == 2",
    "ctx.iteration % 2 == 1",
    "ctx.iteration < ctx.max_iterations",
)
"""Those that change from iteration to iteration."""


def _one_of(value: Any, *kinds: type) -> Any:
    """Return a value, as an operator does that takes some kinds only."""
    if not isinstance(value, kinds):
        raise TypeError
    return value


def _yes_or_no(value: dict[str, Any]) -> bool:
    if not isinstance(value["ok"], bool):
        raise TypeError
    return value["ok"]


def _values(step: Step, asked: Asked) -> dict[str, Any]:
    deps = asked.deps
    if deps is None:
        deps = asked.input if step.depends_on else {}
    place = {
        "slug": step.slug,
        "path": asked.path,
        "flow": asked.flow_slug,
        "iteration": asked.iteration,
        "max_iterations": asked.max_iterations,
    }
    values = {"input": asked.input, "flow_input": asked.flow_input, "deps": deps, "ctx": place}
    if len(set(step.depends_on)) == 1 and step.depends_on[0] in deps:
        values["output"] = deps[step.depends_on[0]]
    return values


def _answer(text: str, values: Values) -> bool:
    """Return what an expression says: without an answer of yes or no, it is no."""
    roots, meaning = EXPRESSIONS[text]
    try:
        answer = meaning(values)
        is_there = all(root in values for root in roots)
    except (KeyError, TypeError, IndexError):
        return False
    return answer is True and is_there
