"""Manifests written as EDN: what comes back of every flow that is one, and what is told otherwise.

For a long search: `pytest tests/unit/dsl/manifest/test_edn_writing.py --hypothesis-profile=deep
--hypothesis-show-statistics`, which also says how many flows no manifest can say.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from hypothesis import event, given, reject, settings
from hypothesis import strategies as st

from dagster_pgflow.dsl.manifest.back import manifest_of_flow
from dagster_pgflow.dsl.manifest.back_document import document_of_manifest
from dagster_pgflow.dsl.manifest.edn_text import read_edn
from dagster_pgflow.dsl.manifest.edn_writing import edn_of_documents, edn_of_form
from dagster_pgflow.dsl.manifest.forms import form_of, json_of
from dagster_pgflow.dsl.manifest.manifest import Cell, Dispatch, Manifest
from dagster_pgflow.dsl.manifest_text import read_manifest
from dagster_pgflow.errors import InvalidFlow
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.steps import SubflowStep
from tests.docs.pages import PAGES, blocks_of
from tests.manifests_reference.drawing import Drawn, drawn_manifests
from tests.manifests_reference.writing import as_edn
from tests.unit.dsl.manifest.reads import MANIFESTS

EXAMPLES = settings().max_examples
FEW = EXAMPLES if EXAMPLES > 100 else 25
FLOWS = ("payment_process_order", "order_place")
WORDS = ("start", "per-transition", "ui/show", "a b", ":a", "true", "nil", "1", "", '"', "\\n")
KEYS = st.text("a:/ \u2028\\") | st.sampled_from(WORDS)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
    | st.sampled_from(WORDS),
    lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner),
)


def written_again(flow: Flow) -> str:
    return edn_of_documents([document_of_manifest(manifest_of_flow(flow))])


def flows_inside(flow: Flow) -> set[str]:
    return {step.flow for step in flow.steps if isinstance(step, SubflowStep)}


def examples() -> Iterator[tuple[str, Callable[[], Flow]]]:
    """Yields what reads each manifest of the pages and of the files of tests."""
    for file in sorted(MANIFESTS.glob("*.edn")):
        yield file.name, partial(read_manifest, file.read_text(), folder=MANIFESTS, flows=FLOWS)
    for page in PAGES:
        blocks = [block for block in blocks_of(page) if block.language == "edn"]
        files = {block.file_name: block.text for block in blocks}
        for block in blocks:
            if ":entry" not in block.text:
                reading = partial(read_manifest, block.text, load=files.__getitem__, flows=FLOWS)
                yield block.place, reading


EXAMPLES_OF_PAGES_AND_FILES = dict(examples())


@pytest.mark.filterwarnings("ignore:.*per-transition:UserWarning")
@pytest.mark.parametrize("name", EXAMPLES_OF_PAGES_AND_FILES)
def test_every_example_is_the_same_flow_when_it_was_written_as_edn(name: str) -> None:
    flow = EXAMPLES_OF_PAGES_AND_FILES[name]()
    text = written_again(flow)
    assert read_manifest(text, flows=flows_inside(flow)) == flow


@settings(max_examples=FEW)
@given(drawn_manifests())
def test_a_drawn_manifest_is_the_same_flow_when_it_was_written_as_edn(drawn: Drawn) -> None:
    flow = sound_flow(drawn)
    text = written_if_it_can_be(flow)
    event("no manifest says it" if text is None else "written")
    assert text is None or read_manifest(text, flows=set(drawn.children)) == flow


def sound_flow(drawn: Drawn) -> Flow:
    """Returns the flow of a manifest; one of them in a hundred is drawn with a cell that nobody
    reaches.
    """
    try:
        return read_manifest(as_edn(drawn), flows=set(drawn.children))
    except InvalidFlow as refused:
        codes = {problem.code for problem in refused.problems}
    assert codes == {"unreachable-cell"}
    return reject()


def written_if_it_can_be(flow: Flow) -> str | None:
    """Returns the manifest of a flow; nothing where it was told what no manifest says."""
    try:
        return written_again(flow)
    except InvalidFlow as refused:
        codes = {problem.code for problem in refused.problems}
    assert codes == {"not-in-manifests"}
    return None


@given(JSON)
def test_every_json_is_the_same_when_it_was_written_as_edn(value: Any) -> None:
    params = {"id": "m", "cells": {"start": {"id": "h", "params": {"value": value}}}}
    [form] = read_edn(edn_of_form(form_of(value)))
    assert repr(json_of(form)) == repr(value)
    [whole] = read_edn(edn_of_documents([params]))
    assert repr(json_of(whole)) == repr(params)


def test_parts_stand_on_lines_of_their_own_and_conditions_have_their_tag() -> None:
    manifest = Manifest(
        "shop/order",
        {"start": Cell("shop/check", doc=":no name"), "a b": Cell("shop/send")},
        {"start": {"sent": "a b", "default": "error"}, "a b": {"": "end"}},
        dispatches={"start": (Dispatch("sent", 'data.to != ""'), Dispatch("default", "true"))},
    )
    assert edn_of_documents([document_of_manifest(manifest)]) == (
        """\
{:id :shop/order
 :cells {:start {:id :shop/check, :doc ":no name"}
         "a b" :shop/send}
 :edges {:start {:sent "a b", :default :error}
         "a b" :end}
 :dispatches {:start [[:sent #pgflow/cel "data.to != \\"\\""] [:default (constantly true)]]}}
"""
    )


def test_what_a_document_would_say_otherwise_is_not_written() -> None:
    one = read_manifest("{:id :m :cells {:start :h} :edges {:start :end}}")
    flow = one.model_copy(update={"input_schema": {"type": "string"}})
    with pytest.raises(InvalidFlow, match="input_schema"):
        manifest_of_flow(flow)
