"""From the form of a document to the flat manifest, with all that is wrong on the way."""

from collections.abc import Collection, Mapping
from typing import Any, Final

from dagster_pgflow.dsl.manifest.document_shape import MANIFEST
from dagster_pgflow.dsl.manifest.extending import extended
from dagster_pgflow.dsl.manifest.flattening import Flattening
from dagster_pgflow.dsl.manifest.forms import MapForm
from dagster_pgflow.dsl.manifest.fragments import dissolved
from dagster_pgflow.dsl.manifest.gaps import UNNAMED
from dagster_pgflow.dsl.manifest.manifest import Manifest
from dagster_pgflow.dsl.manifest.notes import Notes
from dagster_pgflow.dsl.manifest.pipeline import unrolled
from dagster_pgflow.dsl.manifest.sources import Sources

KEYS: Final = ("cells", "pipeline", "extends")
"""The fields that a manifest is known by."""

OTHERS: Final = ("steps", "slug", "nodes")
"""Those of flows and of workflow documents."""

ONLY_FRAGMENT: Final = ("entry", "exits")


def is_manifest(document: Any) -> bool:
    """Return whether a document is meant to be a manifest, by its shape.

    Args:
        document: What JSON or YAML stands for, or the form of it.
    """
    if isinstance(document, MapForm):
        return _is_known_by([key for key in (*KEYS, *OTHERS) if document.get(key) is not None])
    return isinstance(document, Mapping) and _is_known_by(document)


def manifest_of(
    form: MapForm,
    notes: Notes,
    *,
    id: str = "manifest",
    flows: Collection[str] = (),
    sources: Sources | None = None,
) -> Manifest:
    """Return the flat manifest that a document stands for.

    Args:
        form: The document.
        notes: Where to note what is wrong; with any problem, the manifest lacks what is wrong.
        id: What it is called, if it does not say so.
        flows: The slugs of the flows that its cells may run.
        sources: Where the files are that it names.

    Raises:
        TooManyProblems: There are more than are reported.
    """
    files = sources or Sources()
    notes.put((), form.at)
    whole = extended(form, files, notes)
    whole = dissolved(whole, files, notes) if whole.get("pipeline") is None else whole
    if notes.problems.found:
        notes.gaps.leave(("cells", UNNAMED))
    in_parts = len(notes.problems.found)
    whole = unrolled(whole, notes)
    if len(notes.problems.found) > in_parts:
        notes.gaps.leave(("edges",))
    if all(whole.get(key) is not None for key in ONLY_FRAGMENT):
        message = "This is a fragment; load a manifest that takes it in with `fragments`."
        notes.note("fragment-alone", (), message, form.at)
        notes.gaps.leave(())
        return Manifest(id=id, cells={}, edges={})
    read = MANIFEST.read(whole, (), notes)
    if whole.get("cells") is None:
        message = "A manifest has cells; add them, at least `start`."
        if not notes.gaps.cover("cells"):
            notes.note("missing-field", ("cells",), message, form.at)
        notes.gaps.leave(("cells",))
    return Flattening(read, flows, notes).manifest(id)


def _is_known_by(keys: Collection[str]) -> bool:
    return any(key in keys for key in KEYS) and not any(key in keys for key in OTHERS)
