"""Fragments of a manifest, which dissolve in it before anybody reads their cells.

Afterwards nothing tells their cells from those of the host: each has its name there, and its place
in the text that it comes from.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from dagster_pgflow.dsl.manifest.compile_names import slug_of_name
from dagster_pgflow.dsl.manifest.extending import without
from dagster_pgflow.dsl.manifest.forms import Atom, Form, MapForm, name_of
from dagster_pgflow.dsl.manifest.manifest import TERMINALS
from dagster_pgflow.dsl.manifest.notes import Notes
from dagster_pgflow.dsl.manifest.part_shapes import FRAGMENT, FRAGMENT_USE
from dagster_pgflow.dsl.manifest.renaming import EXIT, Renaming
from dagster_pgflow.dsl.manifest.shapes_of_many import ByName
from dagster_pgflow.dsl.manifest.sources import NotFound, Sources
from dagster_pgflow.dsl.workflow.parts import Place
from dagster_pgflow.model.exits import undeclared_exits, unwired_exits

FRAGMENTS: Final = "fragments"
PARTS: Final = (
    "cells",
    "edges",
    "dispatches",
    "joins",
    "error-groups",
    "timeouts",
    "resilience",
    "transforms",
)
"""What of a fragment becomes a part of its host."""

MOST_CELLS: Final = 5_000
"""Of all fragments of a manifest; files that name each other twice grow without bound."""

_USES: Final = ByName("a fragment", FRAGMENT_USE)


@dataclass(frozen=True)
class _Use:
    """A fragment in its host.

    Attributes:
        name: What the host calls it.
        read: What the host says of it.
        place: Where that stands.
    """

    name: str
    read: Mapping[str, Any]
    place: Place


@dataclass
class _Dissolving:
    """What is kept in mind while fragments lie in each other.

    Attributes:
        sources: Where their files are.
        notes: Where to note what is wrong.
        files: Those that are being dissolved, from the outside.
        cells: How many cells came of fragments so far.
    """

    sources: Sources
    notes: Notes
    files: list[str] = field(default_factory=list)
    cells: int = 0


def dissolved(host: MapForm, sources: Sources, notes: Notes) -> MapForm:
    """Return a manifest with the cells of its fragments among its own.

    Args:
        host: The manifest as it is written.
        sources: Where the files of fragments are.
        notes: Where to note what is wrong.
    """
    state = _Dissolving(sources, notes)
    whole = _dissolved(host, (), state)
    if state.cells > MOST_CELLS:
        message = f"The fragments of this manifest come to more than {MOST_CELLS:,} cells."
        notes.note("too-many-cells", (FRAGMENTS,), message, notes.at((FRAGMENTS,)))
    return whole


def _dissolved(host: MapForm, place: Place, state: _Dissolving) -> MapForm:
    given = host.get(FRAGMENTS)
    if given is None:
        return host
    uses = _USES.read(given, (*place, FRAGMENTS), state.notes)
    whole = without(host, FRAGMENTS)
    if not isinstance(uses, dict):
        return whole
    taken = {slug_of_name(name) for name in (*_names(whole), *TERMINALS)}
    entries = {name: use["as"] for name, use in uses.items() if "as" in use}
    _note_taken(entries, taken, (*place, FRAGMENTS), state.notes)
    taken |= {slug_of_name(name) for name in entries.values()}
    for name, read in uses.items():
        use = _Use(name, read, (*place, FRAGMENTS, name))
        fragment = _fragment(use, state)
        if state.cells > MOST_CELLS:
            break
        if fragment is None:
            continue
        whole = _placed(whole, fragment, use, taken, state)
        if read.get("ref") is not None:
            state.files.pop()
    return whole


def _note_taken(entries: Mapping[str, str], taken: set[str], place: Place, notes: Notes) -> None:
    """Note which entries are called like a cell of the host, or like each other."""
    seen = dict.fromkeys(taken, "a cell or terminal of the manifest")
    for name, entry in entries.items():
        slug = slug_of_name(entry)
        if slug in seen:
            path = (*place, name, "as")
            message = f'"{entry}" is the name of {seen[slug]} already; take another.'
            notes.note("duplicate-cell", path, message, notes.at(path))
        seen.setdefault(slug, f'the entry of fragment "{name}"')


def _fragment(use: _Use, state: _Dissolving) -> MapForm | None:
    """Return a fragment in which no other is left; its file is among the open ones then."""
    notes, place = state.notes, use.place
    ref, inline = use.read.get("ref"), use.read.get("fragment")
    if (ref is None) == (inline is None):
        what = "both; remove one" if ref is not None else "neither; add one"
        message = f'A fragment is a file in "ref", or stands in "fragment"; this has {what}.'
        notes.note("wrong-value", place, message, notes.at(place))
        return None
    where = (*place, "ref" if inline is None else "fragment")
    form = _of_file(ref, where, state) if inline is None else inline
    if form is not None:
        FRAGMENT.read(form, where, notes)
    if not isinstance(form, MapForm):
        return None
    if isinstance(ref, str):
        state.files.append(ref)
    return _dissolved(form, where, state)


def _of_file(ref: Any, place: Place, state: _Dissolving) -> MapForm | None:
    notes = state.notes
    if ref in state.files:
        way = " -> ".join([*state.files, ref])
        message = f"These fragments hold each other: {way}; take one of them out."
        notes.note("fragment-cycle", place, message, notes.at(place))
        return None
    try:
        return state.sources.form(ref)
    except NotFound as reason:
        notes.note("unknown-file", place, str(reason), notes.at(place))
        return None


def _placed(
    host: MapForm, fragment: MapForm, use: _Use, taken: set[str], state: _Dissolving
) -> MapForm:
    """Return a host with the parts of a fragment behind its own."""
    notes, name = state.notes, use.name
    inside = _names(fragment)
    state.cells += len(inside)
    declared = _listed(fragment.get("exits"))
    exits: Mapping[str, str] = use.read.get("exits", {})
    for problem in (
        *unwired_exits(name, declared, exits, "say in exits where it leads"),
        *undeclared_exits(name, declared, exits),
    ):
        path = (*use.place, *problem.path.split(".", 1))
        notes.note(problem.code, path, problem.message, notes.at(path))
    entry = fragment.get("entry")
    first = None if entry is None else name_of(entry)
    if entry is not None and first not in inside:
        message = f'The entry of fragment "{name}" is "{first}", which is no cell of it.'
        notes.note("missing-entry", use.place, message, entry.at)
    renaming = Renaming(
        name,
        _names_in_host(inside, first, use, taken),
        {f"{EXIT}{way}": target for way, target in exits.items() if way in declared},
        frozenset(declared),
        notes,
        use.place,
    )
    for part in PARTS:
        given = fragment.get(part)
        if given is not None:
            host = _with_part(host, part, renaming.part(part, given))
    return host


def _names_in_host(
    inside: list[str], entry: str | None, use: _Use, taken: set[str]
) -> dict[str, str]:
    """Return what each cell is called in the host: as in the fragment, where that is free.

    Else the name of the fragment goes before it, as often as it takes.
    """
    names: dict[str, str] = {}
    for cell in inside:
        if cell == entry and "as" in use.read:
            names[cell] = use.read["as"]
            continue
        called = cell
        while slug_of_name(called) in taken:
            called = f"{use.name}-{called}"
        names[cell] = called
        taken.add(slug_of_name(called))
    return names


def _with_part(host: MapForm, part: str, more: Form) -> MapForm:
    """Return a host in which one part has more in it."""
    if not isinstance(more, MapForm):
        return host
    own = host.get(part)
    if own is not None and not isinstance(own, MapForm):
        return host
    before = own.items if own is not None else ()
    whole = MapForm((*before, *more.items), own.at if own is not None else more.at)
    others = tuple(item for item in host.items if name_of(item[0]) != part)
    return MapForm((*others, (Atom(part), whole)), host.at)


def _names(form: MapForm) -> list[str]:
    """Return the names of the cells and joins of a manifest, or of a fragment."""
    found: dict[str, None] = {}
    for part in ("cells", "joins"):
        given = form.get(part)
        if isinstance(given, MapForm):
            found |= dict.fromkeys(name for key, _ in given.items if (name := name_of(key)))
    return [*found]


def _listed(form: Form | None) -> list[str]:
    items = getattr(form, "items", ()) if form is not None else ()
    return [name for item in items if not isinstance(item, tuple) and (name := name_of(item))]
