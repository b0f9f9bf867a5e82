"""Random manifests, sound ones and broken ones, in the three ways of writing them down.

For a long search: `pytest tests/unit/dsl/manifest/test_drawn_manifests.py
--hypothesis-profile=deep`.
"""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings

from dagster_pgflow.dsl.manifest.edn_text import read_edn
from dagster_pgflow.dsl.manifest.forms import Form, FormRefused, MapForm, form_of
from dagster_pgflow.dsl.manifest.manifest import Dispatch, Manifest
from dagster_pgflow.dsl.manifest.notes import Notes
from dagster_pgflow.dsl.manifest.placed import read_placed_yaml
from dagster_pgflow.dsl.manifest.reading import manifest_of
from dagster_pgflow.dsl.manifest_text import read_manifest
from dagster_pgflow.dsl.reading.unreadable import Unreadable
from dagster_pgflow.dsl.workflow.parts import TooManyProblems
from dagster_pgflow.errors import InvalidFlow, Problem
from tests.manifests_reference.breaking import broken_objects, broken_texts, planted_problems
from tests.manifests_reference.drawing import Drawn, drawn_manifests
from tests.manifests_reference.writing import as_edn, as_object, as_yaml

EXAMPLES = settings().max_examples
FEW = EXAMPLES if EXAMPLES > 100 else 15

Dispatches = dict[str, tuple[Dispatch, ...]]


def sound(form: Form, drawn: Drawn) -> Manifest:
    manifest, problems = found(form, drawn.children)
    assert problems == []
    return manifest


def found(form: Form, flows: Iterable[str]) -> tuple[Manifest, list[Problem]]:
    assert isinstance(form, MapForm)
    notes = Notes()
    manifest = manifest_of(form, notes, flows=set(flows))
    return manifest, notes.problems.found


def labels(manifest: Manifest) -> dict[str, list[str]]:
    return {name: [one.label for one in asked] for name, asked in manifest.dispatches.items()}


def declared(manifest: Manifest, drawn: Manifest) -> Dispatches:
    """Returns the dispatches without those that go without saying."""
    return {
        name: asked[: len(drawn.dispatches[name])]
        for name, asked in manifest.dispatches.items()
        if name in drawn.dispatches
    }


def all_of(drawn: Drawn) -> list[Drawn]:
    return [drawn, *(one for child in drawn.children.values() for one in all_of(child))]


@settings(max_examples=FEW)
@given(drawn_manifests())
def test_a_manifest_is_the_same_as_an_object_in_yaml_and_in_edn(drawn: Drawn) -> None:
    for one in all_of(drawn):
        read = sound(form_of(as_object(one)), one)
        said = declared(read, one.manifest)
        assert replace(read, dispatches=said) == replace(one.manifest, dispatches=said)
        assert said == one.manifest.dispatches
        [in_yaml] = read_placed_yaml(as_yaml(one))
        assert sound(in_yaml, one) == read
        [in_edn] = read_edn(as_edn(one))
        from_edn = sound(in_edn, one)
        assert replace(from_edn, dispatches=read.dispatches) == read
        assert labels(from_edn) == labels(read)


def assert_told(forms: Sequence[Form]) -> None:
    for form in forms:
        if not isinstance(form, MapForm):
            continue
        try:
            _, problems = found(form, ["m_child0"])
        except TooManyProblems:
            continue
        assert all(problem.path and problem.message.endswith(".") for problem in problems)


@settings(max_examples=FEW)
@given(broken_objects())
def test_whatever_stands_in_an_object_is_told_in_sentences(document: Any) -> None:
    with suppress(FormRefused):
        assert_told([form_of(document)])


@settings(max_examples=FEW)
@given(broken_texts())
def test_whatever_stands_in_edn_is_told_in_sentences(text: str) -> None:
    with suppress(Unreadable):
        assert_told(read_edn(text))


@settings(max_examples=FEW)
@given(broken_texts(in_edn=False))
def test_whatever_stands_in_yaml_is_told_in_sentences(text: str) -> None:
    with suppress(Unreadable):
        assert_told(read_placed_yaml(text))


@settings(max_examples=FEW)
@given(planted_problems())
def test_every_problem_is_told_at_its_place(planted: Any) -> None:
    document, problems, flows = planted
    with pytest.raises(InvalidFlow) as refused:
        read_manifest(document, flows=set(flows))
    told = {(problem.code, problem.path) for problem in refused.value.problems}
    assert problems - told == set()
