"""Forms that hold others: lists, objects, and what is one thing or another."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, Final

from dagster_pgflow.dsl.manifest.forms import (
    Atom,
    Form,
    ListForm,
    MapForm,
    SetForm,
    VectorForm,
    name_of,
    shown,
)
from dagster_pgflow.dsl.manifest.gaps import UNNAMED
from dagster_pgflow.dsl.manifest.notes import Notes
from dagster_pgflow.dsl.manifest.shapes import REFUSED, Name, Shape, wrong
from dagster_pgflow.dsl.workflow.parts import Place

MOST_NAMES: Final = 12
"""Of longer lists of fields a sentence names none."""


@dataclass(frozen=True)
class Listed(Shape):
    """A list of things that have one shape.

    Attributes:
        item: The shape of each.
        least: How many there are at least.
    """

    item: Shape
    least: int = 0

    def read(self, form: Form, place: Place, notes: Notes) -> Any:
        """Return what could be read of the list, as a tuple."""
        match form:
            case VectorForm(items=items) | ListForm(items=items) | SetForm(items=items):
                pass
            case _:
                return wrong("a list", form, place, notes)
        if len(items) < self.least:
            notes.note("wrong-value", place, f"This needs {self.least} or more; add.", form.at)
        read: list[Any] = []
        for index, item in enumerate(items):
            notes.put((*place, index), item.at)
            read.append(self.item.read(item, (*place, index), notes))
            if read[-1] is REFUSED:
                notes.gaps.leave((*place, index))
        return tuple(item for item in read if item is not REFUSED)

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of the list."""
        least = {"minItems": self.least} if self.least else {}
        return {"type": "array", "items": self.item.schema(), **least}


@dataclass(frozen=True)
class ByName(Shape):
    """Things of one shape, each under its name.

    Attributes:
        of: What the names are names of.
        value: The shape of each.
    """

    of: str
    value: Shape

    def read(self, form: Form, place: Place, notes: Notes) -> Any:
        """Return what could be read, by names."""
        if not isinstance(form, MapForm):
            return wrong(f"an object: the name of {self.of}, and what it is", form, place, notes)
        found: dict[str, Any] = {}
        for key, value in form.items:
            name = Name(self.of).read(key, place, notes)
            if name is REFUSED:
                notes.gaps.leave((*place, UNNAMED))
                continue
            notes.put((*place, name), key.at)
            if name in found:
                message = f'"{name}" appears twice, as a keyword and as a text; remove one.'
                notes.note("duplicate-key", (*place, name), message, key.at)
                continue
            read = self.value.read(value, (*place, name), notes)
            if read is REFUSED:
                notes.gaps.leave((*place, name))
            else:
                found[name] = read
        return found

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of the object."""
        return {
            "type": "object",
            "additionalProperties": self.value.schema(),
            "propertyNames": {"pattern": "^[^:]"},
        }


@dataclass(frozen=True)
class Field:
    """One field of a record.

    Attributes:
        shape: What it may be.
        doc: What it says.
        example: A value that it may have.
        is_required: Whether it must be there.
    """

    shape: Shape
    doc: str
    example: Any = None
    is_required: bool = False


@dataclass(frozen=True)
class Record(Shape):
    """An object of certain fields.

    Attributes:
        what: What it is, with its article.
        fields: By their names.
        meant: What else people call them.
        also: Other names that are understood for a field.
        one_of: Fields of which one must be there.
    """

    what: str
    fields: Mapping[str, Field]
    meant: Mapping[str, str] = field(default_factory=dict)
    also: Mapping[str, str] = field(default_factory=dict)
    one_of: tuple[str, ...] = ()

    def read(self, form: Form, place: Place, notes: Notes) -> Any:
        """Return what could be read, by the names of the fields."""
        if not isinstance(form, MapForm):
            return wrong(f"{self.what}, an object", form, place, notes)
        found: dict[str, Any] = {}
        refused: set[str] = set()
        for key, value in form.items:
            written = name_of(key)
            name = self.also.get(written or "", written)
            if name is None or name not in self.fields:
                meant = self._note_unknown(key, place, notes)
                if meant is not None and not self._has(form, meant):
                    notes.gaps.leave((*place, meant))
                    refused.add(meant)
                continue
            inside = (*place, name)
            notes.put(inside, key.at)
            if name in found or name in refused:
                message = f'"{name}" is there twice; remove one.'
                notes.note("duplicate-key", inside, message, key.at)
                continue
            read = self.fields[name].shape.read(value, inside, notes)
            if read is REFUSED:
                notes.gaps.leave(inside)
                refused.add(name)
            else:
                found[name] = read
        for name in self._missing({*found, *refused}):
            message = f'{self.what.capitalize()} needs "{name}"; add it.'
            notes.note("missing-field", (*place, name), message, form.at)
            notes.gaps.leave((*place, name))
        return found

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of the object."""
        properties: dict[str, Any] = {}
        for name, part in self.fields.items():
            example = {} if part.example is None else {"examples": [part.example]}
            properties[name] = {**part.shape.schema(), "description": part.doc, **example}
        for name, own in self.also.items():
            properties[name] = {**properties[own], "description": f"The same as `{own}`."}
        required = [name for name, part in self.fields.items() if part.is_required]
        return {
            "type": "object",
            "properties": properties,
            "additionalProperties": False,
            **({"required": required} if required else {}),
            **({"anyOf": [{"required": [name]} for name in self.one_of]} if self.one_of else {}),
        }

    def _missing(self, there: Collection[str]) -> list[str]:
        required = [name for name, part in self.fields.items() if part.is_required]
        lacks_all = not any(name in there for name in self.one_of)
        either = self.one_of[:1] if lacks_all else ()
        return [name for name in (*either, *required) if name not in there]

    def _has(self, form: MapForm, name: str) -> bool:
        return any(
            form.get(other) is not None
            for other in (name, *self.also)
            if self.also.get(other, other) == name
        )

    def _note_unknown(self, key: Form, place: Place, notes: Notes) -> str | None:
        """Note a field that there is not, and return which one is meant."""
        name = name_of(key)
        if name is None:
            message = f"A field has a name; got {shown(key)}."
            notes.note("unknown-field", place, message, key.at)
            return None
        bare = name.lstrip(":")
        meant = bare if bare in self.fields else self.meant.get(bare)
        if meant is None:
            near = get_close_matches(bare, [*self.fields, *self.also], 1)
            meant = next(iter(near), None)
        advice = f'"{meant}" may be meant' if meant else self._known()
        message = f"There is no such field here; {advice}."
        notes.note("unknown-field", (*place, name), message, key.at)
        return meant

    def _known(self) -> str:
        if len(self.fields) > MOST_NAMES:
            return "remove it"
        return f"{self.what} has {', '.join(self.fields)}"


@dataclass(frozen=True)
class Either(Shape):
    """Something of several shapes, of which its outside tells which one it is.

    Attributes:
        choose: Returns the shape of a form; nothing, if it has none of them.
        shapes: All of them.
        wanted: What they are, in words.
    """

    choose: Callable[[Form], Shape | None]
    shapes: Sequence[Shape]
    wanted: str

    def read(self, form: Form, place: Place, notes: Notes) -> Any:
        """Return what the form says as that which it is."""
        shape = self.choose(form)
        if shape is None:
            return wrong(self.wanted, form, place, notes)
        return shape.read(form, place, notes)

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of all of them."""
        return {"anyOf": [shape.schema() for shape in self.shapes]}


@dataclass(frozen=True)
class OrNull(Shape):
    """Something that may be null, which says something too.

    Attributes:
        shape: What it is else.
    """

    shape: Shape

    def read(self, form: Form, place: Place, notes: Notes) -> Any:
        """Return `None`, or what the form says."""
        match form:
            case Atom(value=None):
                return None
            case _:
                return self.shape.read(form, place, notes)

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of both."""
        return {"anyOf": [self.shape.schema(), {"type": "null"}]}


@dataclass(frozen=True)
class Pair(Shape):
    """A list of two.

    Attributes:
        wanted: What they are, in words.
        first: The shape of the first.
        second: The shape of the second.
    """

    wanted: str
    first: Shape
    second: Shape

    def read(self, form: Form, place: Place, notes: Notes) -> Any:
        """Return both; where only the second one is wrong, `REFUSED` in its place."""
        match form:
            case VectorForm(items=(one, other)) | ListForm(items=(one, other)):
                first = self.first.read(one, place, notes)
                second = self.second.read(other, place, notes)
                return REFUSED if first is REFUSED else (first, second)
            case _:
                return wrong(self.wanted, form, place, notes)

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of the list."""
        items = [self.first.schema(), self.second.schema()]
        return {"type": "array", "prefixItems": items, "minItems": 2, "maxItems": 2}
