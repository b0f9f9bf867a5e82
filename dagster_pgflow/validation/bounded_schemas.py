"""JSON Schema with bounds: a schema comes from a row, and can ask for more work than anybody has.

Parts that double in `allOf`, over `$defs` a dozen levels deep; a pattern that Python searches for
ever; `uniqueItems` of objects, each compared with each. So every look of a keyword costs
retry_policy, patterns are those of RE2, and nothing is ever fetched for a schema.
"""

import json
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend
from referencing import Registry

from dagster_pgflow.expressions.patterns import is_found

MOST_LOOKS: Final = 50_000
LOOKS_PER_VALUE: Final = 50
LOOKS_OF_A_PATTERN: Final = 20
"""How much work a schema may ask for, in looks of a keyword at a value: about a second."""

Schema = dict[str, Any] | bool
Rule = Callable[[Any, Any, Any, Any], Iterator[ValidationError] | None]


@dataclass
class _Work:
    """What is at hand, and how many looks are left for it."""

    whole: Schema
    left: int


_work: ContextVar[_Work] = ContextVar("_work")


class TooMuchWork(Exception):
    """A schema asks for more work than it may."""

    def __init__(self) -> None:
        super().__init__(
            "it asks for too much work for this value; its parts refer to each other too often"
        )


def breaches(schema: Schema, value: Any, whole: Schema | None = None) -> Iterator[ValidationError]:
    """Yield how a value breaks a schema.

    Args:
        schema: The schema.
        value: The value.
        whole: The schema that it is a part of, and refers to.

    Raises:
        TooMuchWork: The schema asks for too much.
        Exception: The schema is none; jsonschema stumbles over it in any way.
    """
    whole = schema if whole is None else whole
    validator: Any = _Bounded(whole, registry=Registry())
    token = _work.set(_Work(whole, MOST_LOOKS + LOOKS_PER_VALUE * _size(value)))
    try:
        yield from list(validator.evolve(schema=schema).iter_errors(value))
    except RecursionError:
        raise TooMuchWork from None
    finally:
        _work.reset(token)


def _spend(looks: int) -> None:
    work = _work.get()
    work.left -= looks
    if work.left < 0:
        raise TooMuchWork


def _size(value: Any) -> int:
    """Return of how many values a value consists."""
    count, waiting = 0, [value]
    while waiting:
        part = waiting.pop()
        count += 1
        if isinstance(part, dict):
            waiting.extend(part.values())
        elif isinstance(part, list):
            waiting.extend(part)
    return count


def _counted(rule: Rule) -> Rule:
    def bounded(validator: Any, wanted: Any, value: Any, schema: Any) -> Any:
        _spend(1 + (len(wanted) if isinstance(wanted, list | dict) else 0))
        return rule(validator, wanted, value, schema)

    return bounded


def _is_found(pattern: str, text: str) -> bool:
    _spend(LOOKS_OF_A_PATTERN)
    return is_found(pattern, text)


def _pattern(_validator: Any, wanted: Any, value: Any, _schema: Any) -> Iterator[ValidationError]:
    if isinstance(value, str) and not _is_found(wanted, value):
        yield ValidationError(f"{value!r} does not match {wanted!r}")


def _pattern_properties(
    validator: Any, wanted: Any, value: Any, _schema: Any
) -> Iterator[ValidationError]:
    for pattern, part in wanted.items() if isinstance(value, dict) else ():
        for name, inner in value.items():
            if _is_found(pattern, name):
                yield from validator.descend(inner, part, path=name, schema_path=pattern)


def _additional_properties(
    validator: Any, wanted: Any, value: Any, schema: Any
) -> Iterator[ValidationError]:
    listed, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
    more = [
        name
        for name in (value if isinstance(value, dict) else ())
        if name not in listed and not any(_is_found(pattern, name) for pattern in patterns)
    ]
    if isinstance(wanted, dict):
        for name in more:
            yield from validator.descend(value[name], wanted, path=name)
    elif not wanted and more:
        shown = ", ".join(repr(name) for name in more)
        verb = "was" if len(more) == 1 else "were"
        yield ValidationError(f"Additional properties are not allowed ({shown} {verb} unexpected)")


def _unique_items(
    _validator: Any, wanted: Any, value: Any, _schema: Any
) -> Iterator[ValidationError]:
    if wanted and isinstance(value, list):
        _spend(_size(value))
        if len({_text_of(item) for item in value}) < len(value):
            yield ValidationError(f"{value!r} has non-unique elements")


def _text_of(value: Any) -> str:
    """Return a text that two values share if JSON Schema calls them equal: 1 and 1.0 are."""
    return json.dumps(_with_whole_numbers(value), sort_keys=True)


def _with_whole_numbers(value: Any) -> Any:
    match value:
        case dict():
            return {name: _with_whole_numbers(part) for name, part in value.items()}
        case list():
            return [_with_whole_numbers(part) for part in value]
        case float() if value.is_integer():
            return int(value)
        case _:
            return value


def _unevaluated(validator: Any, wanted: Any, value: Any, schema: Any) -> Any:
    # It would search with Python for these patterns, wherever they stand.
    if "patternProperties" in json.dumps(_work.get().whole):
        raise TypeError("unevaluatedProperties does not go together with patternProperties here")
    return Draft202012Validator.VALIDATORS["unevaluatedProperties"](
        validator, wanted, value, schema
    )


_OWN: Final[dict[str, Rule]] = {
    "pattern": _pattern,
    "patternProperties": _pattern_properties,
    "additionalProperties": _additional_properties,
    "uniqueItems": _unique_items,
    "unevaluatedProperties": _unevaluated,
}
_Bounded: Final = extend(  # type: ignore[no-untyped-call]
    Draft202012Validator,
    {name: _counted(rule) for name, rule in {**Draft202012Validator.VALIDATORS, **_OWN}.items()},
)


def _evolve(validator: Any, **changes: Any) -> Any:
    """Go on with the same bounds, whatever `$schema` a part of the schema names."""
    fields = (field for field in validator.__attrs_attrs__ if field.init)
    kept = {field.alias: getattr(validator, field.name) for field in fields}
    return type(validator)(**{**kept, **changes})


_Bounded.evolve = _evolve
