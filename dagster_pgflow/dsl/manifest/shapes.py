"""What a form may look like: one thing that reads it, says what is wrong, and is a JSON Schema."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from dagster_pgflow.dsl.manifest.forms import (
    Atom,
    Form,
    FormRefused,
    MapForm,
    json_of,
    name_of,
    shown,
)
from dagster_pgflow.dsl.manifest.notes import Notes
from dagster_pgflow.dsl.workflow.parts import Place

REFUSED: Final = object()
"""What is read where something is wrong; a note says what."""


class Shape(ABC):
    """What a form may look like."""

    @abstractmethod
    def read(self, form: Form, place: Place, notes: Notes) -> Any:
        """Return what a form says, or `REFUSED`.

        Args:
            form: The form.
            place: Where in the manifest it stands.
            notes: Where to note what is wrong.
        """

    @abstractmethod
    def schema(self) -> dict[str, Any]:
        """Return the same as a JSON Schema."""


def wrong(wanted: str, form: Form, place: Place, notes: Notes) -> Any:
    """Note that a form is something else, and return `REFUSED`."""
    notes.note("wrong-value", place, f"This should be {wanted}; got {shown(form)}.", form.at)
    return REFUSED


@dataclass(frozen=True)
class Name(Shape):
    """A keyword, or a plain text without its colon.

    Attributes:
        of: What it is the name of.
    """

    of: str = "something"

    def read(self, form: Form, place: Place, notes: Notes) -> Any:
        """Return the name."""
        name = name_of(form)
        if not name:
            return wrong(f"the name of {self.of}", form, place, notes)
        if name.startswith(":"):
            message = f'A name has no colon here; write "{name.lstrip(":")}".'
            notes.note("wrong-value", place, message, form.at)
            return REFUSED
        return name

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of a name."""
        return {"type": "string", "pattern": "^[^:]"}


@dataclass(frozen=True)
class Text(Shape):
    """A text."""

    def read(self, form: Form, place: Place, notes: Notes) -> Any:
        """Return the text."""
        match form:
            case Atom(value=str(text)):
                return text
            case _:
                return wrong("a text", form, place, notes)

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of a text."""
        return {"type": "string"}


@dataclass(frozen=True)
class Whole(Shape):
    """A whole number.

    Attributes:
        least: The smallest that it may be.
        most: The largest.
        step: What it must be a multiple of.
    """

    least: int = 1
    most: int = 2**31 - 1
    step: int = 1

    def read(self, form: Form, place: Place, notes: Notes) -> Any:
        """Return the number; 5.0 is 5."""
        match form:
            case Atom(value=bool()):
                pass
            case Atom(value=int() | float() as number):
                if self.least <= number <= self.most and number % self.step == 0:
                    return int(number)
        multiple = f", a multiple of {self.step:,}" if self.step > 1 else ""
        wanted = f"a whole number from {self.least:,} to {self.most:,}{multiple}"
        return wrong(wanted, form, place, notes)

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of such a number."""
        multiple = {"multipleOf": self.step} if self.step > 1 else {}
        return {"type": "integer", "minimum": self.least, "maximum": self.most} | multiple


@dataclass(frozen=True)
class Flag(Shape):
    """True or false."""

    def read(self, form: Form, place: Place, notes: Notes) -> Any:
        """Return the truth."""
        match form:
            case Atom(value=bool(truth)):
                return truth
            case _:
                return wrong("true or false", form, place, notes)

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of a truth."""
        return {"type": "boolean"}


@dataclass(frozen=True)
class Word(Shape):
    """One of a few words.

    Attributes:
        words: All of them.
    """

    words: tuple[str, ...]

    def read(self, form: Form, place: Place, notes: Notes) -> Any:
        """Return the word."""
        name = name_of(form)
        if name in self.words:
            return name
        return wrong(f"one of {', '.join(self.words)}", form, place, notes)

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of these words."""
        return {"enum": [*self.words]}


@dataclass(frozen=True)
class AnyJson(Shape):
    """Any JSON."""

    def read(self, form: Form, place: Place, notes: Notes) -> Any:
        """Return the JSON."""
        try:
            return json_of(form)
        except FormRefused as reason:
            notes.refuse(place, reason)
            return REFUSED

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of anything."""
        return {}


@dataclass(frozen=True)
class JsonObject(AnyJson):
    """Any JSON object."""

    def read(self, form: Form, place: Place, notes: Notes) -> Any:
        """Return the object."""
        if not isinstance(form, MapForm):
            return wrong("an object", form, place, notes)
        return super().read(form, place, notes)

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of an object."""
        return {"type": "object"}


@dataclass(frozen=True)
class Translated(Shape):
    """A form that others understand: a predicate, or a schema.

    Attributes:
        translate: Returns what it says; tells each mistake to what it is given, or raises it.
        written: Its JSON Schema.
    """

    translate: Callable[[Form, Callable[[FormRefused], None]], Any]
    written: Mapping[str, Any]

    def read(self, form: Form, place: Place, notes: Notes) -> Any:
        """Return what it says."""
        refused: list[FormRefused] = []
        try:
            translated = self.translate(form, refused.append)
        except FormRefused as reason:
            refused.append(reason)
        for one in refused:
            notes.refuse(place, one)
        return REFUSED if refused else translated

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of what is written."""
        return dict(self.written)


def is_name(form: Form) -> bool:
    """Return whether a form is a name."""
    return name_of(form) is not None


def is_map(form: Form) -> bool:
    """Return whether a form is a map."""
    return isinstance(form, MapForm)


@dataclass(frozen=True)
class ReadLater(Shape):
    """A form that is looked at later, when more is known.

    Attributes:
        written: Its JSON Schema.
    """

    written: Mapping[str, Any]

    def read(self, form: Form, place: Place, notes: Notes) -> Any:
        """Return the form."""
        del place, notes
        return form

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of what is written."""
        return dict(self.written)
