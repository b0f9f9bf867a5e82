"""What a text of a manifest says, before anybody asks what it means: forms with their places.

EDN, YAML, JSON and Python values all become these. In YAML, JSON and Python a keyword is a plain
text, so whoever asks for a name takes both: `name_of`. Two forms are equal when they say the same,
wherever they stand.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, TypeAlias


class At(NamedTuple):
    """A place in a text.

    Attributes:
        line: From 1.
        column: From 1.
        file: The file that it is in, where that is not the one that everybody speaks of.
    """

    line: int
    column: int
    file: str = ""

    def __str__(self) -> str:
        place = f"line {self.line}, column {self.column}"
        return f"{place} of {self.file}" if self.file else place


NOWHERE: Final = At(0, 0)
"""The place of what comes from no text."""


@dataclass(frozen=True, slots=True)
class Atom:
    """A text, a number, true, false or null.

    Attributes:
        value: What it is.
        at: Where it stands.
    """

    value: str | int | float | bool | None
    at: At = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Keyword:
    """A name that stands for itself: `:payment/validate-card` in EDN.

    Attributes:
        name: Without the colon.
        at: Where it stands.
    """

    name: str
    at: At = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Symbol:
    """A name that stands for something else: `fn`, `=` or `data` in EDN.

    Attributes:
        name: As it is written.
        at: Where it stands.
    """

    name: str
    at: At = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Cel:
    """An expression in CEL: `#pgflow/cel "data.total > 5"` in EDN.

    Attributes:
        text: The expression.
        at: Where it stands.
    """

    text: str
    at: At = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class ListForm:
    """A list in round brackets: in EDN a call, such as `(= 1 (:n data))`.

    Attributes:
        items: What is in it.
        at: Where it begins.
    """

    items: tuple["Form", ...]
    at: At = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class VectorForm:
    """A list in square brackets, and every list of YAML, JSON and Python.

    Attributes:
        items: What is in it.
        at: Where it begins.
    """

    items: tuple["Form", ...]
    at: At = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class SetForm:
    """A set: `#{1 2}` in EDN.

    Attributes:
        items: What is in it, in the order in which it is written, nothing twice.
        at: Where it begins.
    """

    items: tuple["Form", ...]
    at: At = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class MapForm:
    """A map: `{:a 1}` in EDN, an object in YAML and JSON.

    Attributes:
        items: Its keys and values, in the order in which they are written, no key twice.
        at: Where it begins.
    """

    items: tuple[tuple["Form", "Form"], ...]
    at: At = field(default=NOWHERE, compare=False)

    def get(self, name: str) -> "Form | None":
        """Return what stands under a name, or nothing."""
        return next((value for key, value in self.items if name_of(key) == name), None)


Form: TypeAlias = Atom | Keyword | Symbol | Cel | ListForm | VectorForm | SetForm | MapForm


class FormRefused(Exception):
    """A form says nothing that is understood where it stands.

    Attributes:
        form: The form.
        code: A stable, kebab-case name of what is wrong.
    """

    def __init__(self, form: Form, message: str, code: str = "wrong-value") -> None:
        self.form = form
        self.code = code
        super().__init__(message)

    @property
    def at(self) -> At:
        """Where it stands."""
        return self.form.at


def name_of(form: Form | None) -> str | None:
    """Return the name that a form is: that of a keyword, or a plain text; else nothing.

    >>> name_of(Keyword("ui/show")), name_of(Atom("ui/show")), name_of(Atom(5))
    ('ui/show', 'ui/show', None)
    """
    match form:
        case Keyword(name=name):
            return name
        case Atom(value=str(text)):
            return text
        case _:
            return None


def json_of(form: Form) -> Any:
    """Return the JSON that a form stands for: names as texts, lists, vectors and sets as lists.

    >>> json_of(MapForm(((Keyword("a"), VectorForm((Atom(1), Keyword("b")))),)))
    {'a': [1, 'b']}

    Raises:
        FormRefused: It holds a symbol or an expression, or a key that is no name; JSON has none.
    """
    match form:
        case Atom():
            return form.value
        case Keyword():
            return form.name
        case ListForm() | VectorForm() | SetForm():
            return [json_of(item) for item in form.items]
        case MapForm():
            return {_key(key): json_of(value) for key, value in form.items}
        case Symbol() | Cel():
            raise FormRefused(form, f"{shown(form)} is no value; write it as a text.")


def form_of(value: Any) -> Form:
    """Return the form of a Python value: of JSON, with tuples as lists.

    >>> form_of({"a": [1]}) == MapForm(((Atom("a"), VectorForm((Atom(1),))),))
    True

    Args:
        value: What is nested no deeper than JSON may be.

    Raises:
        FormRefused: It holds something that is no JSON.
    """
    match value:
        case None | bool() | int() | float() | str():
            return Atom(value)
        case Mapping():
            for key in value:
                if not isinstance(key, str):
                    message = f"The key {key!r} is not a text; write it as one."
                    raise FormRefused(Atom(repr(key)), message)
            return MapForm(tuple((Atom(key), form_of(part)) for key, part in value.items()))
        case list() | tuple():
            return VectorForm(tuple(form_of(part) for part in value))
        case _:
            message = f"A value of type {type(value).__name__} is no JSON; write it as JSON."
            raise FormRefused(Atom(repr(value)), message)


def shown(form: Form) -> str:
    """Return a form as a sentence shows it: as EDN, shortened.

    >>> shown(ListForm((Symbol("="), Atom(1), Keyword("a"))))
    '(= 1 :a)'
    """
    return _shown(form, _SHOWN_LEVELS)


_SHOWN_LEVELS: Final = 3
_SHOWN_ITEMS: Final = 4
_SHOWN_CHARACTERS: Final = 40
_WORDS: Final = {"None": "null", "True": "true", "False": "false"}
_BRACKETS: Final = {ListForm: ("(", ")"), VectorForm: ("[", "]"), SetForm: ("#{", "}")}


def _key(form: Form) -> str:
    name = name_of(form)
    if name is None:
        message = f"The key {shown(form)} is no name; write a keyword or a text."
        raise FormRefused(form, message)
    return name


def _shown(form: Form, levels: int) -> str:
    match form:
        case Atom(value=str(text)) | Cel(text=text):
            return f'"{_short(text)}"'
        case Atom(value=value):
            return _short(_WORDS.get(str(value), str(value)))
        case Keyword() | Symbol():
            colon = ":" if isinstance(form, Keyword) else ""
            return f"{colon}{_short(form.name)}"
        case MapForm():
            return f"{{{_all([part for pair in form.items for part in pair], levels)}}}"
        case ListForm() | VectorForm() | SetForm():
            begin, end = _BRACKETS[type(form)]
            return f"{begin}{_all(form.items, levels)}{end}"


def _all(items: Sequence[Form], levels: int) -> str:
    if not levels:
        return "…" if items else ""
    words = [_shown(item, levels - 1) for item in items[:_SHOWN_ITEMS]]
    return " ".join([*words, "…"] if len(items) > _SHOWN_ITEMS else words)


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"
