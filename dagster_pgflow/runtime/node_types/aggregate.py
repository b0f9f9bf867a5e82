"""`pgflow.aggregate`: groups of a list, and what there is to say about each.

Null is no number and no text: every measure but `collect` passes over it, and so over what an
element does not have. It is a value to group by, though.
"""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from dagster_pgflow.expressions.cel import value_expression
from dagster_pgflow.node_types.aggregate import AggregateConfig, Measure, path_in
from dagster_pgflow.runtime.context import StepContext
from dagster_pgflow.runtime.node_types.asking import items_for, values_for
from dagster_pgflow.runtime.values import kind_of
from dagster_pgflow.step_errors import ExpressionFailed, NonRetryable

Values = Mapping[str, Any]


def aggregate(value: Any, ctx: StepContext) -> Any:
    """Sum a list up: one object, or one for each group in the order in which they begin."""
    config: AggregateConfig = ctx.params
    around, items = values_for(value, ctx), items_for(config, value, ctx)
    elements = [{**around, "item": item, "index": index} for index, item in enumerate(items)]
    if not config.groups:
        return _measured(config, elements)
    groups: dict[str, tuple[dict[str, Any], list[Values]]] = {}
    for element in elements:
        key = {name: _value(text, name, element) for name, text in config.groups.items()}
        same = json.dumps([_comparable(part) for part in key.values()], sort_keys=True)
        groups.setdefault(same, (key, []))[1].append(element)
    return [key | _measured(config, members) for key, members in groups.values()]


def _measured(config: AggregateConfig, elements: Sequence[Values]) -> dict[str, Any]:
    return {name: _result(name, measure, elements) for name, measure in config.measures.items()}


def _result(name: str, measure: Measure, elements: Sequence[Values]) -> Any:
    if measure.op == "count" and measure.of is None:
        return len(elements)
    text = measure.of or "item"
    values = [_value(text, name, element) for element in elements]
    if measure.op == "collect":
        return values
    present = {
        element["index"]: value
        for element, value in zip(elements, values, strict=True)
        if value is not None
    }
    if measure.op == "count":
        return len(present)
    kinds = ("a number", "text") if measure.op in ("min", "max") else ("a number",)
    _refuse_others(name, measure, present, kinds)
    return OPERATIONS[measure.op](list(present.values()))


def _refuse_others(
    name: str, measure: Measure, values: Mapping[int, Any], kinds: Sequence[str]
) -> None:
    """Check that values can be added up, or compared with each other.

    Raises:
        NonRetryable: One cannot.
    """
    wanted = next((kind_of(value) for value in values.values()), "")
    for index, value in values.items():
        kind = kind_of(value)
        if kind not in kinds:
            reason = f"is {kind}, not {' or '.join(kinds)}"
        elif kind != wanted:
            reason = f"is {kind}, but others are {wanted}"
        else:
            continue
        raise NonRetryable(f'There is no {measure.op} for "{name}": element {index} {reason}.')


def _value(text: str, name: str, element: Values) -> Any:
    """Return a value of an element: null where a path leads nowhere.

    Raises:
        NonRetryable: An expression has no value for it.
    """
    path = path_in(text)
    if path is not None:
        return _at(path, element["item"])
    try:
        return value_expression(text).value(element)
    except ExpressionFailed as error:
        raise NonRetryable(
            f'There is no "{name}" for element {element["index"]}: `{text}` has no value: {error}.'
        ) from None


def _at(path: Sequence[str], value: Any) -> Any:
    for key in path:
        match value:
            case dict():
                value = value.get(key)
            case list() if key.isdecimal() and int(key) < len(value):
                value = value[int(key)]
            case _:
                return None
    return value


def _comparable(value: Any) -> Any:
    """Return a value as what is compared: 1 and 1.0 are one number, as in jsonb."""
    match value:
        case float() if value.is_integer():
            return int(value)
        case dict():
            return {key: _comparable(part) for key, part in value.items()}
        case list():
            return [_comparable(part) for part in value]
        case _:
            return value


def _total(numbers: Sequence[float]) -> float:
    """Return an exact sum of whole numbers, the nearest float where there are others.

    Raises:
        NonRetryable: It is larger than floats can be.
    """
    if all(isinstance(number, int) for number in numbers):
        return sum(numbers)
    try:
        return math.fsum(numbers)
    except OverflowError:
        raise NonRetryable("The sum is larger than a floating-point number can be.") from None


def _mean(numbers: Sequence[float]) -> float | None:
    try:
        return _total(numbers) / len(numbers) if numbers else None
    except OverflowError:
        raise NonRetryable("The mean is larger than a floating-point number can be.") from None


OPERATIONS: Mapping[str, Callable[[list[Any]], Any]] = {
    "sum": _total,
    "min": lambda values: min(values, default=None),
    "max": lambda values: max(values, default=None),
    "mean": _mean,
}
