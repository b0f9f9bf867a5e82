"""A manifest that completes another: `extends`.

The named parts of both, such as cells and edges, lie in one object; where both have one of a name,
the child's stands in place of the other. Null takes a part away.
"""

from typing import Final

from dagster_pgflow.dsl.manifest.forms import Atom, Form, MapForm, name_of, shown
from dagster_pgflow.dsl.manifest.notes import Notes
from dagster_pgflow.dsl.manifest.sources import NotFound, Sources

EXTENDS: Final = "extends"
OF_NAMED_PARTS: Final = frozenset(
    {
        "cells",
        "edges",
        "dispatches",
        "joins",
        "fragments",
        "error-groups",
        "timeouts",
        "resilience",
        "transforms",
        "regions",
    }
)
"""What is put together part by part; all else is replaced as a whole."""


def extended(form: MapForm, sources: Sources, notes: Notes) -> MapForm:
    """Return a manifest with all that those which it extends say.

    Args:
        form: The manifest as it is written.
        sources: Where the others are.
        notes: Where to note what is wrong.
    """
    chain = [form]
    names: list[str] = []
    while (given := chain[-1].get(EXTENDS)) is not None:
        if isinstance(given, MapForm):
            chain.append(given)
            continue
        name = name_of(given)
        if not name:
            message = f"This should be the file of a manifest; got {shown(given)}."
            notes.note("wrong-value", (EXTENDS,), message, given.at)
            break
        if name in names:
            way = " -> ".join([*names, name])
            message = f"The manifests extend each other: {way}; take one of these out."
            notes.note("extends-cycle", (EXTENDS,), message, given.at)
            break
        names.append(name)
        try:
            chain.append(sources.form(name))
        except NotFound as reason:
            notes.note("unknown-file", (EXTENDS,), str(reason), given.at)
            break
    whole = _without_nulls(chain.pop())
    while chain:
        whole = _completed(whole, chain.pop())
    return without(whole, EXTENDS)


def without(form: MapForm, name: str) -> MapForm:
    """Return a map without what stands under a name."""
    return MapForm(tuple(item for item in form.items if name_of(item[0]) != name), form.at)


def _completed(base: MapForm, child: MapForm) -> MapForm:
    found = {_key(key): (key, value) for key, value in base.items}
    for key, value in child.items:
        name = _key(key)
        before = found.pop(name, None)
        if _is_null(value):
            continue
        if isinstance(value, MapForm) and name_of(key) in OF_NAMED_PARTS:
            old = before[1] if before is not None and isinstance(before[1], MapForm) else None
            found[name] = key, _parts(old, value)
        else:
            found[name] = key, value
    return MapForm(tuple(found.values()), child.at)


def _parts(base: MapForm | None, child: MapForm) -> MapForm:
    found = {_key(key): (key, value) for key, value in (base.items if base else ())}
    for key, value in child.items:
        if _is_null(value):
            found.pop(_key(key), None)
        else:
            found[_key(key)] = key, value
    return MapForm(tuple(found.values()), child.at)


def _without_nulls(form: MapForm) -> MapForm:
    kept = tuple((key, value) for key, value in form.items if not _is_null(value))
    return MapForm(kept, form.at)


def _key(form: Form) -> str | Form:
    """Return what two keys have in common that mean the same."""
    return name_of(form) or form


def _is_null(form: Form) -> bool:
    match form:
        case Atom(value=None):
            return True
        case _:
            return False
