"""Manifests for tests of reading, from text."""

from pathlib import Path
from typing import Any

from dagster_pgflow.dsl.manifest.forms import MapForm, form_of
from dagster_pgflow.dsl.manifest.manifest import Manifest
from dagster_pgflow.dsl.manifest.notes import Notes
from dagster_pgflow.dsl.manifest.reading import manifest_of
from dagster_pgflow.dsl.manifest.sources import FORM_SUFFIXES, Sources, forms_of_text, only_form

MANIFESTS = Path(__file__).parents[3] / "manifests"


def read(document: Any, **settings: Any) -> tuple[Manifest, list[str]]:
    """Return the manifest of a text or object, and its problems as `path: message [code]`."""
    form = (
        only_form(forms_of_text(document, ""), "it")
        if isinstance(document, str)
        else (form_of(document))
    )
    assert isinstance(form, MapForm)
    notes = Notes()
    manifest = manifest_of(form, notes, **settings)
    return manifest, [str(problem) for problem in notes.problems.found]


def sound(document: Any, **settings: Any) -> Manifest:
    """Return a manifest that nothing is wrong with."""
    manifest, problems = read(document, **settings)
    assert problems == []
    return manifest


def of_file(name: str) -> Manifest:
    """Return the manifest of a file of `tests/manifests`."""
    path = MANIFESTS / name
    assert path.suffix in FORM_SUFFIXES
    form = only_form(forms_of_text(path.read_text(), path.suffix), name)
    assert isinstance(form, MapForm)
    notes = Notes()
    manifest = manifest_of(form, notes, sources=Sources(path.parent))
    assert notes.problems.found == []
    return manifest
