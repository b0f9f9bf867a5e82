"""The parts of a fragment in the words of its host: cells renamed, exits as their targets."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from dagster_pgflow.dsl.manifest.forms import (
    Atom,
    Form,
    Keyword,
    ListForm,
    MapForm,
    SetForm,
    VectorForm,
    name_of,
)
from dagster_pgflow.dsl.manifest.manifest import TERMINALS
from dagster_pgflow.dsl.manifest.notes import Notes
from dagster_pgflow.dsl.workflow.parts import Place

EXIT: Final = "_exit/"
"""What the target of an edge that leaves a fragment begins with."""


@dataclass(frozen=True)
class Renaming:
    """How a fragment is written down in its host.

    What does not look as it should stays as it is: whoever reads the host says so.

    Attributes:
        fragment: What the host calls the fragment.
        names: For each cell and join its name in the host.
        targets: For each exit, as edges name it, where it leads.
        exits: The exits that the fragment declares.
        notes: Where to note what is wrong.
        place: Where in the host the fragment stands.
    """

    fragment: str
    names: Mapping[str, str]
    targets: Mapping[str, str]
    exits: frozenset[str]
    notes: Notes
    place: Place

    def part(self, name: str, form: Form) -> Form:
        """Return one part of the fragment, such as its edges, in the words of the host."""
        if not isinstance(form, MapForm):
            return form
        is_group = name == "error-groups"
        items = tuple(
            (
                self._group_name(key) if is_group else self._named(key),
                self._value(name, value),
            )
            for key, value in form.items
        )
        return MapForm(items, form.at)

    def _value(self, part: str, form: Form) -> Form:
        match part:
            case "edges":
                return self._edge(form)
            case "cells":
                return self._with(form, "on-error", self._target)
            case "joins":
                return self._with(form, "cells", self._members)
            case "error-groups":
                members = self._with(form, "cells", self._members)
                return self._with(members, "on-error", self._target)
            case _:
                return form

    def _edge(self, form: Form) -> Form:
        if not isinstance(form, MapForm):
            return self._target(form)
        items = tuple((label, self._labelled(target)) for label, target in form.items)
        return MapForm(items, form.at)

    def _labelled(self, form: Form) -> Form:
        return (
            self._with(form, "to", self._target)
            if isinstance(form, MapForm)
            else (self._target(form))
        )

    def _members(self, form: Form) -> Form:
        match form:
            case VectorForm() | ListForm() | SetForm():
                return replace(form, items=tuple(self._named(item) for item in form.items))
            case _:
                return form

    def _with(self, form: Form, name: str, change: Callable[[Form], Form]) -> Form:
        """Return a map in which what stands under one name is changed."""
        if not isinstance(form, MapForm):
            return form
        items = tuple(
            (key, change(value) if name_of(key) == name else value) for key, value in form.items
        )
        return MapForm(items, form.at)

    def _named(self, form: Form) -> Form:
        """Return the name of a cell of the fragment as it is in the host."""
        name = name_of(form)
        return form if name is None else _renamed(form, self.names.get(name, name))

    def _group_name(self, form: Form) -> Form:
        name = name_of(form)
        return form if name is None else _renamed(form, f"{self.fragment}-{name}")

    def _target(self, form: Form) -> Form:
        """Return where an edge leads; note that it leads out of the fragment elsewhere."""
        name = name_of(form)
        if name is None or name in TERMINALS:
            return form
        if name in self.names:
            return _renamed(form, self.names[name])
        if name in self.targets:
            return _renamed(form, self.targets[name])
        if name.removeprefix(EXIT) not in self.exits or not name.startswith(EXIT):
            self._note_unknown(name, form)
        return form

    def _note_unknown(self, name: str, form: Form) -> None:
        fragment = self.fragment
        if name.startswith(EXIT):
            known = ", ".join(sorted(self.exits)) or "none"
            message = f'Fragment "{fragment}" declares no exit "{name.removeprefix(EXIT)}"; it has'
            message += f" {known}."
            self.notes.note("undeclared-exit", self.place, message, form.at)
            return
        message = f'Fragment "{fragment}" leads to "{name}", which is no cell of it; what lies'
        message += f" outside is an exit, {EXIT}<name>."
        self.notes.note("unknown-target", self.place, message, form.at)


def _renamed(form: Form, name: str) -> Form:
    match form:
        case Keyword():
            return Keyword(name, form.at)
        case _:
            return Atom(name, form.at)
