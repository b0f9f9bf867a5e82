"""YAML text as values: as the JSON that it stands for, so that a date is a text.

The values are built from what PyYAML calls events, one by one. So an alias is counted for all that
it stands for before anything walks through that, and what lies too deep is never made.
"""

import math
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

from dagster_pgflow.dsl.reading.bounds import (
    NOWHERE,
    refuse_again,
    refuse_levels,
    refuse_number,
    refuse_text,
    refuse_values,
    values_in,
)
from dagster_pgflow.dsl.reading.unreadable import Unreadable

_PREFIX: Final = "tag:yaml.org,2002:"
_MERGE: Final = f"{_PREFIX}merge"
_PARSER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The one in C is twenty times as fast, and in every wheel of PyYAML."""

_RESOLVER: Final[Any] = yaml.resolver.Resolver()
_CONSTRUCTOR: Final = yaml.constructor.SafeConstructor()


def read_yaml(text: str) -> list[Any]:
    """Return the values of the YAML documents in a text, empty documents left out.

    Raises:
        Unreadable: It is no YAML, says what JSON cannot, or is out of bounds.
    """
    reader = _Reader()
    place = NOWHERE
    try:
        refuse_text(text)
        for event in yaml.parse(text, Loader=_PARSER):
            place = _place(event.start_mark)
            reader.take(event)
    except Unreadable as reason:
        raise Unreadable(place, str(reason)) from None
    except yaml.MarkedYAMLError as error:
        place = NOWHERE if error.problem_mark is None else _place(error.problem_mark)
        raise Unreadable(place, f"This is not YAML: {error.problem}.") from error
    except yaml.YAMLError as error:
        raise Unreadable(NOWHERE, f"This is not YAML: {' '.join(str(error).split())}.") from error
    return [document for document in reader.documents if document is not None]


def _place(mark: Any) -> str:
    return f"line {mark.line + 1}, column {mark.column + 1}"


@dataclass(frozen=True)
class _ReadValue:
    """A value of which nothing is to come.

    Attributes:
        value: The value.
        count: How many values it amounts to.
        levels: How many lists and objects lie in each other in it.
        is_merge: Whether it is the key `<<`, whose value are objects to take over.
    """

    value: Any
    count: int
    levels: int = 0
    is_merge: bool = False


@dataclass
class _OpenCollection:
    """A list, or an object, of which parts are to come.

    Attributes:
        anchor: What aliases call it, if anything.
        parts: The elements, or the keys and values by turns.
    """

    anchor: str | None
    is_object: bool
    parts: list[_ReadValue] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)

    def add(self, part: _ReadValue) -> None:
        """Add what comes next."""
        if self.is_object and len(self.parts) % 2 == 0:
            self._look_at_key(part)
        self.parts.append(part)

    def closed(self) -> _ReadValue:
        """Return the whole that the parts make."""
        count = 1 + sum(part.count for part in self.parts)
        levels = 1 + max((part.levels for part in self.parts), default=0)
        value = self._object() if self.is_object else [part.value for part in self.parts]
        return _ReadValue(value, count, levels)

    def _look_at_key(self, part: _ReadValue) -> None:
        key = part.value
        if isinstance(key, dict | list):
            raise Unreadable(NOWHERE, "A key must be a text, not a list or an object.")
        if not isinstance(key, str):
            raise Unreadable(NOWHERE, f"The key {key!r} is not a text; put it in quotes.")
        refuse_again(key, self.keys)
        self.keys.add(key)

    def _object(self) -> dict[str, Any]:
        own: dict[str, Any] = {}
        taken_over: dict[str, Any] = {}
        for key, part in zip(self.parts[::2], self.parts[1::2], strict=True):
            if not key.is_merge:
                own[key.value] = part.value
                continue
            others = part.value if isinstance(part.value, list) else [part.value]
            if not all(isinstance(other, dict) for other in others):
                raise Unreadable(NOWHERE, "<< needs an object, or a list of objects.")
            for other in others:
                taken_over = {**other, **taken_over}
        return {**taken_over, **own}


class _Reader:
    """Puts values together.

    Attributes:
        documents: Those that are whole.
    """

    def __init__(self) -> None:
        self.documents: list[Any] = []
        self._open: list[_OpenCollection] = []
        self._meant: dict[str, _ReadValue | None] = {}
        self._count = 0

    def take(self, event: Any) -> None:
        """Take the next event.

        Raises:
            Unreadable: It says what JSON cannot, or the whole is now out of bounds.
        """
        match event:
            case yaml.DocumentStartEvent():
                self._meant = {}
            case yaml.ScalarEvent():
                self._add(_scalar(event), event.anchor)
            case yaml.AliasEvent():
                self._add(self._alias(event.anchor or ""), None)
            case yaml.SequenceStartEvent():
                self._begin(event, "seq")
            case yaml.MappingStartEvent():
                self._begin(event, "map")
            case yaml.SequenceEndEvent() | yaml.MappingEndEvent():
                ended = self._open.pop()
                self._put(ended.closed(), ended.anchor)

    def _begin(self, event: Any, kind: str) -> None:
        if event.tag not in (None, "!", f"{_PREFIX}{kind}"):
            raise _not_json(event.tag)
        if event.anchor is not None:
            self._meant[event.anchor] = None
        self._counted(1)
        self._open.append(_OpenCollection(event.anchor, is_object=kind == "map"))
        refuse_levels(len(self._open))

    def _add(self, whole: _ReadValue, anchor: str | None) -> None:
        self._counted(whole.count)
        refuse_levels(len(self._open) + whole.levels)
        self._put(whole, anchor)

    def _put(self, whole: _ReadValue, anchor: str | None) -> None:
        if anchor is not None:
            self._meant[anchor] = whole
        if self._open:
            self._open[-1].add(whole)
        else:
            self.documents.append(whole.value)

    def _alias(self, name: str) -> _ReadValue:
        if name not in self._meant:
            raise Unreadable(NOWHERE, f"*{name} refers to nothing; there is no &{name} before it.")
        whole = self._meant[name]
        if whole is None:
            raise Unreadable(NOWHERE, f"*{name} refers to a value that contains it.")
        return whole

    def _counted(self, more: int) -> None:
        self._count += more
        refuse_values(self._count)


def _scalar(event: Any) -> _ReadValue:
    text: str = event.value
    refuse_text(text)
    count = values_in(text)
    tag = event.tag
    if tag is None:
        tag = _RESOLVER.resolve(yaml.ScalarNode, text, event.implicit)
    match tag.removeprefix(_PREFIX):
        case "null":
            return _ReadValue(None, count)
        case "bool" | "int" | "float" if ":" not in text:
            return _ReadValue(_number(text, tag), count)
        case "merge":
            return _ReadValue(text, count, is_merge=True)
        case "str" | "!" | "timestamp" | "value" | "int" | "float":
            # What has a colon is a time of day, and not a number to the base of 60.
            return _ReadValue(text, count)
        case _:
            raise _not_json(tag)


def _number(text: str, tag: str) -> Any:
    """Return a number, or a truth, that is written as YAML allows."""
    refuse_number(text)
    construct = _CONSTRUCTOR.yaml_constructors[tag]
    try:
        value = construct(_CONSTRUCTOR, yaml.ScalarNode(tag, text))
    except (ValueError, LookupError):
        kind = tag.removeprefix(_PREFIX)
        raise Unreadable(NOWHERE, f"{text[:20]!r} is no {kind}; leave out its tag.") from None
    if isinstance(value, int):
        refuse_number(str(value))
    if isinstance(value, float) and not math.isfinite(value):
        raise Unreadable(NOWHERE, f"{text} is not a JSON number; leave it out, or write null.")
    return value


def _not_json(tag: str) -> Unreadable:
    shown = tag.replace(_PREFIX, "!!")
    return Unreadable(NOWHERE, f"This YAML has no form in JSON: leave out the tag {shown}.")
