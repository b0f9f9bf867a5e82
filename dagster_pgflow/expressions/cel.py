"""The one module that knows the CEL library: Google's C++ through `cel-expr-python`.

An expression is checked when a flow is defined and compiled once in a process. `$.x` in one is
short for `output.x` (`shorthand.py`). It cannot call Python, and the library limits its depth and
its iterations, though not its memory. What is wrong with one, then or when it is asked, is said in
our words (`problems.py`).
"""

import math
from collections.abc import Iterable, Mapping
from functools import cached_property, lru_cache
from typing import Any, Final

from cel_expr_python import cel

from dagster_pgflow.errors import ExpressionProblem, InvalidExpression
from dagster_pgflow.expressions.large_integers import doubles_of_large, replaced
from dagster_pgflow.expressions.problems import failure_in, problems_in
from dagster_pgflow.expressions.shorthand import long_form
from dagster_pgflow.step_errors import ExpressionFailed

ROOTS: Final = ("input", "flow_input", "deps", "output", "ctx")
"""What a condition may begin a path with."""

ELEMENT_ROOTS: Final = ("item", "index")
"""What an expression may begin one with besides, where it is asked for each element of a list."""

EVENT_ROOT: Final = "event"
"""What the condition of a trigger begins one with, and nothing else does."""

DEEPEST = 250
"""How deeply a value may be nested: at thousands of levels the library ends the process."""

DATA_ROOT: Final = "data"
"""What a predicate of a manifest begins one with, until it is a condition of a step."""

_KEPT = 2048
_ALL_ROOTS: Final = frozenset((*ROOTS, *ELEMENT_ROOTS))
_NO_JSON: Final = {
    "TIMESTAMP": "a timestamp",
    "DURATION": "a duration",
    "BYTES": "bytes",
    "TYPE": "a type",
}


class Expression:
    """A compiled expression: a condition, or one that gives a value.

    Attributes:
        text: The expression as its author wrote it.
    """

    def __init__(self, text: str, long_text: str, compiled: cel.Expression) -> None:
        self.text = text
        self._long_text = long_text
        self._compiled = compiled

    @cached_property
    def roots(self) -> frozenset[str]:
        """The roots that the expression uses."""
        return frozenset(_root(name) for name in _variables() if self.asks_for(name))

    def holds(self, values: Mapping[str, Any]) -> bool:
        """Return what a condition says.

        Args:
            values: JSON values by root; `ctx` is an object.

        Raises:
            ExpressionFailed: It cannot be answered for these values, or with neither yes nor no.
        """
        answer, _ = self._answer(values)
        if answer.type() != cel.Type.BOOL:
            raise ExpressionFailed(f"it gives {_kind(answer.type())}, not true or false")
        return bool(answer.value())

    def value(self, values: Mapping[str, Any]) -> Any:
        """Return what the expression gives, as JSON.

        Args:
            values: JSON values by root; `ctx` is an object.

        Raises:
            ExpressionFailed: It gives nothing for these values, or what is not JSON.
        """
        answer, doubles = self._answer(values)
        given = answer.plain_value()
        if doubles:
            given = replaced(given, {double: number for number, double in doubles.items()})
        reason = _no_json(given)
        if reason:
            raise ExpressionFailed(f"it gives {reason}, which is not JSON")
        return given

    def _answer(self, values: Mapping[str, Any]) -> tuple[cel.Value, Mapping[int, float]]:
        """Return the answer, and which doubles stand for large integers in it."""
        data = _flat({root: values[root] for root in self.roots if root in values})
        for root, value in data.items():
            if _is_too_deep(value):
                raise ExpressionFailed(f"{root} is nested more than {DEEPEST} levels deep")
        doubles = doubles_of_large(data.values())
        if doubles:
            data = {root: replaced(value, doubles) for root, value in data.items()}
        try:
            answer = self._compiled.eval(data=data)
            if answer.type() != cel.Type.ERROR:
                return answer, doubles
            reason = failure_in(str(answer.value()))
        except MemoryError as error:
            raise ExpressionFailed("it takes too much memory") from error
        except (RuntimeError, TypeError, ValueError, OverflowError) as error:
            raise ExpressionFailed(failure_in(str(error))) from error
        raise ExpressionFailed(reason)

    def asks_for(self, name: str) -> bool:
        """Return whether the answer depends on a variable, such as `ctx.iteration`."""
        if _root(name) not in self._long_text:
            return False  # The library need not be asked, which takes longer than an answer.
        try:
            _environment(frozenset(_variables()) - {name}).compile(self._long_text)
        except RuntimeError:
            return True
        return False


@lru_cache(maxsize=_KEPT)
def expression(text: str, roots: frozenset[str] = frozenset(ROOTS)) -> Expression:
    """Return the condition of a text.

    Args:
        text: CEL, in which `$` may stand for `output`.
        roots: What it may begin a path with: some of `ROOTS`.

    Raises:
        InvalidExpression: With every problem and its place.
    """
    long_text, compiled = _compiled(text, roots, "a condition")
    kind = compiled.return_type()
    if kind not in (cel.Type.BOOL, cel.Type.DYN):
        message = f"it gives {_kind(kind)}, not true or false"
        raise InvalidExpression(text, [ExpressionProblem(1, 1, message)])
    return Expression(text, long_text, compiled)


@lru_cache(maxsize=_KEPT)
def value_expression(text: str, roots: frozenset[str] = _ALL_ROOTS) -> Expression:
    """Return the expression of a text that gives any JSON.

    Args:
        text: CEL, in which `$` may stand for `output`.
        roots: What it may begin a path with: some of `ROOTS` and `ELEMENT_ROOTS`.

    Raises:
        InvalidExpression: With every problem and its place.
    """
    long_text, compiled = _compiled(text, roots, "an expression")
    kind = _NO_JSON.get(compiled.return_type().name().partition("<")[0])
    if kind is not None:
        message = f"it gives {kind}, which is not JSON; use string(...)"
        raise InvalidExpression(text, [ExpressionProblem(1, 1, message)], "an expression")
    return Expression(text, long_text, compiled)


def _compiled(text: str, roots: frozenset[str], what: str) -> tuple[str, cel.Expression]:
    if "\x00" in text:
        place = text.index("\x00")
        line, column = text.count("\n", 0, place) + 1, place - text.rfind("\n", 0, place)
        problem = ExpressionProblem(line, column, "NUL characters cannot be stored")
        raise InvalidExpression(text, [problem], what)
    long = long_form(text)
    known = [name for name in _variables() if _root(name) in roots]
    try:
        return long.text, _environment(frozenset(known)).compile(long.text)
    except (RuntimeError, TypeError, ValueError) as error:
        problems = [long.place(found) for found in problems_in(str(error), long.text, known)]
        raise InvalidExpression(text, problems, what) from error


def _variables() -> dict[str, cel.Type]:
    # Full paths as names: the library then refuses a path below `ctx` that does not exist.
    facts = ("run_id", "flow_slug", "step_slug", "step_path")
    objects = cel.Type.Map(cel.Type.STRING, cel.Type.DYN)
    return {
        "input": cel.Type.DYN,
        "flow_input": cel.Type.DYN,
        "deps": objects,
        "output": cel.Type.DYN,
        **{f"ctx.{fact}": cel.Type.STRING for fact in facts},
        "ctx.iteration": cel.Type.INT,
        "ctx.max_iterations": cel.Type.INT,
        "ctx.params": objects,
        "item": cel.Type.DYN,
        DATA_ROOT: cel.Type.DYN,
        EVENT_ROOT: cel.Type.DYN,
        "index": cel.Type.INT,
    }


@lru_cache(maxsize=32)
def _environment(names: frozenset[str]) -> cel.Env:
    return cel.NewEnv(
        variables={name: kind for name, kind in _variables().items() if name in names}
    )


def _root(name: str) -> str:
    return name.partition(".")[0]


def _flat(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values by the names of the variables."""
    facts = {f"ctx.{name}": value for name, value in values.get("ctx", {}).items()}
    return {root: value for root, value in values.items() if root != "ctx"} | facts


def _is_too_deep(value: Any) -> bool:
    level = [value]
    for _ in range(DEEPEST):
        level = [inner for outer in level for inner in _inside(outer)]
        if not level:
            return False
    return True


def _inside(value: Any) -> Iterable[Any]:
    match value:
        case dict():
            return value.values()
        case list():
            return value
        case _:
            return ()


def _no_json(value: Any) -> str | None:
    """Return what there is in a value that JSON does not have."""
    match value:
        case None | bool() | int() | str():
            return None
        case float():
            return None if math.isfinite(value) else "infinity or NaN"
        case list():
            return next(filter(None, map(_no_json, value)), None)
        case dict():
            if not all(isinstance(key, str) for key in value):
                return "an object with keys that are not texts"
            return next(filter(None, map(_no_json, value.values())), None)
        case _:
            return {"datetime": "a timestamp", "timedelta": "a duration"}.get(
                type(value).__name__, "bytes or a type"
            )


def _kind(kind: cel.Type) -> str:
    name = kind.name().lower()
    known = {"int": "a number", "uint": "a number", "double": "a number", "string": "text"}
    known |= {"null": "null", "null_type": "null", "map": "an object", "list": "a list"}
    return known.get(name.partition("<")[0].partition("(")[0], f"a {name}")
