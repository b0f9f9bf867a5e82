"""Forms for tests, written as EDN; their places do not matter."""

from typing import Any

import edn_format

from dagster_pgflow.dsl.manifest.forms import (
    Atom,
    Form,
    Keyword,
    ListForm,
    MapForm,
    SetForm,
    Symbol,
    VectorForm,
)


def form(text: str) -> Form:
    """Return what a text in EDN says."""
    return converted(edn_format.loads(text))


def converted(read: Any) -> Form:  # noqa: PLR0911 - one form a case
    match read:
        case edn_format.Keyword():
            return Keyword(read.name)
        case edn_format.Symbol():
            return Symbol(read.name)
        case tuple():
            return ListForm(tuple(map(converted, read)))
        case edn_format.ImmutableList() | list():
            return VectorForm(tuple(map(converted, read)))
        case frozenset():
            return SetForm(tuple(map(converted, read)))
        case edn_format.ImmutableDict() | dict():
            return MapForm(tuple((converted(key), converted(read[key])) for key in read))
        case _:
            return Atom(read)
