"""Manifests as EDN text: names as keywords, conditions with their tag, one part a line.

What is written is a document as YAML and JSON have it. A text becomes a keyword only where a name
stands, and only if a reader of keywords finds the same name in it; elsewhere it stays a text.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, assert_never

from dagster_pgflow.dsl.manifest.edn_text import CEL_TAG
from dagster_pgflow.dsl.manifest.forms import (
    Atom,
    Cel,
    Form,
    Keyword,
    ListForm,
    MapForm,
    SetForm,
    Symbol,
    VectorForm,
)
from dagster_pgflow.dsl.manifest.malli import PER_TRANSITION

WIDTH: Final = 96
"""How long a line may be before it is broken; what closes brackets comes behind."""

_SPREAD: Final = 2
"""To which depth maps have a line for each key, however short they are."""

_NAME: Final = r"[A-Za-z_][A-Za-z0-9_*+!?.-]*"
_KEYWORD: Final = re.compile(rf"{_NAME}(/{_NAME})?")
_TEXTS: Final = ("doc", "id-match")
_DATA: Final = ("input-schema", "schema", "params", "resilience", "halt")
_ALWAYS: Final = ListForm((Symbol("constantly"), Atom(value=True)))
_BRACKETS: Final = {ListForm: ("(", ")"), VectorForm: ("[", "]"), SetForm: ("#{", "}")}


def edn_of_documents(documents: Sequence[Mapping[str, Any]]) -> str:
    r"""Return manifests as EDN text that ends in a line break, from which the same are read.

    Args:
        documents: What `document_of_manifest` returns; at least one.

    >>> edn_of_documents([{"id": "shop/greet", "cells": {"start": "shop/say"}}])
    '{:id :shop/greet\n :cells {:start :shop/say}}\n'
    """
    return "\n".join(f"{edn_of_form(_form(document))}\n" for document in documents)


def edn_of_form(form: Form) -> str:
    r"""Return a form as EDN text, on as many lines as it needs.

    >>> edn_of_form(MapForm(((Keyword("a"), Atom(1)), (Keyword("b"), Atom("x")))))
    '{:a 1\n :b "x"}'
    """
    return _text(form, 0, 0)


def _form(document: Mapping[str, Any]) -> MapForm:
    return _map(
        document, lambda key, part: (_dispatches if key == "dispatches" else _named)(key, part)
    )


def _dispatches(_key: str, by_cell: Mapping[str, Any]) -> Form:
    return _map(by_cell, lambda _, rules: VectorForm(tuple(_asked(*rule) for rule in rules)))


def _asked(label: str, predicate: str) -> VectorForm:
    return VectorForm((_name(label), _ALWAYS if predicate == "true" else Cel(predicate)))


def _named(key: str, value: Any) -> Form:
    """Return a part of a manifest whose texts are names, but for what people and handlers read."""
    match value:
        case Mapping() if key in _DATA:
            return _data(key, value)
        case Mapping():
            return _map(value, _named)
        case list():
            return VectorForm(tuple(_named(key, item) for item in value))
        case str() if key not in _TEXTS:
            return _name(value)
        case _:
            return Atom(value)


def _data(key: str, value: Any) -> Form:
    match value:
        case Mapping():
            return _map(value, _data)
        case list():
            return VectorForm(tuple(_data(key, item) for item in value))
        case str() if value == PER_TRANSITION and key == "output":
            return Keyword(value)
        case _:
            return Atom(value)


def _map(fields: Mapping[str, Any], part: Callable[[str, Any], Form]) -> MapForm:
    return MapForm(tuple((_name(key), part(key, value)) for key, value in fields.items()))


def _name(text: str) -> Form:
    return Keyword(text) if _KEYWORD.fullmatch(text) else Atom(text)


def _text(form: Form, column: int, depth: int) -> str:
    """Return a form as text that begins at a column, below so many maps."""
    match form:
        case MapForm(items=[_, _, *_] as items) if depth < _SPREAD or _is_long(form, column):
            lines = (_entry(key, value, column + 1, depth + 1) for key, value in items)
            return f"{{{_lines(lines, column + 1)}}}"
        case MapForm(items=[(key, value)]):
            return f"{{{_entry(key, value, column + 1, depth + 1)}}}"
        case ListForm() | VectorForm() | SetForm() if _is_long(form, column):
            opening, closing = _BRACKETS[type(form)]
            lines = (_text(item, column + len(opening), depth) for item in form.items)
            return f"{opening}{_lines(lines, column + len(opening))}{closing}"
        case _:
            return _flat(form)


def _entry(key: Form, value: Form, column: int, depth: int) -> str:
    name = _flat(key)
    return f"{name} {_text(value, column + len(name) + 1, depth)}"


def _lines(lines: Iterable[str], column: int) -> str:
    return f"\n{' ' * column}".join(lines)


def _is_long(form: Form, column: int) -> bool:
    return column + len(_flat(form)) > WIDTH


def _flat(form: Form) -> str:
    """Return a form on one line."""
    match form:
        case Atom(value=value):
            return "nil" if value is None else _literal(value)
        case Cel(text=text):
            return f"#{CEL_TAG} {_literal(text)}"
        case Keyword(name=name) | Symbol(name=name):
            return f":{name}" if isinstance(form, Keyword) else name
        case MapForm(items=items):
            return f"{{{', '.join(f'{_flat(key)} {_flat(value)}' for key, value in items)}}}"
        case ListForm() | VectorForm() | SetForm():
            opening, closing = _BRACKETS[type(form)]
            return f"{opening}{' '.join(map(_flat, form.items))}{closing}"
        case _:
            assert_never(form)


def _literal(value: str | float) -> str:
    """Return a value as JSON has it, which is EDN too; what nobody sees in a text is escaped."""
    hidden = isinstance(value, str) and not value.isprintable()
    return json.dumps(value, ensure_ascii=hidden, allow_nan=False)
