"""Cells in a row: `pipeline`, which stands for the edges between them."""

from typing import Final

from dagster_pgflow.dsl.manifest.extending import without
from dagster_pgflow.dsl.manifest.forms import Atom, Form, MapForm
from dagster_pgflow.dsl.manifest.manifest import ENTRY
from dagster_pgflow.dsl.manifest.notes import Notes
from dagster_pgflow.dsl.manifest.shapes import Name
from dagster_pgflow.dsl.manifest.shapes_of_many import Listed

PIPELINE: Final = "pipeline"
END: Final = "end"
INSTEAD_OF: Final = ("edges", "dispatches", "joins", "fragments")
"""What no manifest with a pipeline has."""

_ROW: Final = Listed(Name("a cell"), least=1)


def unrolled(form: MapForm, notes: Notes) -> MapForm:
    """Return a manifest with the edges that its pipeline stands for.

    Args:
        form: The manifest as it is written.
        notes: Where to note what is wrong.
    """
    given = form.get(PIPELINE)
    if given is None:
        return form
    for name in INSTEAD_OF:
        other = form.get(name)
        if other is not None:
            message = f'A manifest with a pipeline has no "{name}"; remove one of the two.'
            notes.note("pipeline-and-edges", (name,), message, other.at)
    whole = without(form, PIPELINE)
    row = _ROW.read(given, (PIPELINE,), notes)
    if not isinstance(row, tuple) or not row or any(form.get(name) for name in INSTEAD_OF):
        return whole
    names = [*row[:-1]] if row[-1] == END else [*row]
    _judge(names, given, notes)
    items = tuple(
        (Atom(name, notes.at((PIPELINE, index))), Atom(target, notes.at((PIPELINE, index))))
        for index, (name, target) in enumerate(zip(names, [*names[1:], END], strict=True))
    )
    return MapForm((*whole.items, (Atom("edges"), MapForm(items, given.at))), form.at)


def _judge(names: list[str], given: Form, notes: Notes) -> None:
    if names[:1] != [ENTRY]:
        message = f'A pipeline begins with "{ENTRY}"; put it first.'
        notes.note("wrong-entry", (PIPELINE,), message, given.at)
    for index, name in enumerate(names):
        if name in names[:index]:
            place = (PIPELINE, index)
            message = f'"{name}" is in the pipeline twice; a loop needs edges.'
            notes.note("duplicate-cell", place, message, notes.at(place))
