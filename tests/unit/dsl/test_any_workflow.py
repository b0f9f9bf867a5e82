"""Whatever a workflow document holds: sound ones come back as they were, broken ones are told."""

import copy
import json
from dataclasses import asdict
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from dagster_pgflow import Flow, read_workflow, write_workflow
from dagster_pgflow.dsl.flow_text import document_text
from dagster_pgflow.dsl.workflow.schema import workflow_schema
from dagster_pgflow.errors import InvalidFlow
from dagster_pgflow.model.options import (
    MS,
    StepOptions,
    TryOptions,
    retry_policy_of,
    timeout_of,
)
from dagster_pgflow.model.steps import Step
from dagster_pgflow.model.stored_form import stored_form
from dagster_pgflow.validation.validate import parse_flow, validate
from tests.drawn_flows import flows
from tests.drawn_workflows import BREAKAGES, Breakage, workflows
from tests.workflow_documents import NAMES, document

patiently = settings(max_examples=50)
VALIDATOR = jsonschema.Draft202012Validator(workflow_schema())
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["id", "type", "from", "to", "config", "loop", "branch", "rules", "x"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)


@patiently
@given(workflows())
def test_a_sound_document_is_read_and_comes_back_as_the_same_flow(given: dict[str, Any]) -> None:
    flow = read_workflow(given)
    written = write_workflow(flow)
    assert read_workflow(written) == flow
    assert validate(flow, {}) == ()


@patiently
@given(workflows())
def test_the_flow_in_the_store_comes_back_too(given: dict[str, Any]) -> None:
    stored = parse_flow(stored_form(read_workflow(given)))
    for language in ("json", "yaml"):
        text = document_text([write_workflow(stored)], language)
        assert read_workflow(text) == stored


@patiently
@given(workflows())
def test_the_published_schema_takes_what_is_read_and_what_is_written(given: dict[str, Any]) -> None:
    VALIDATOR.validate(given)
    VALIDATOR.validate(write_workflow(read_workflow(given)))


@patiently
@given(flows())
def test_every_flow_is_written_and_comes_back(flow: Flow) -> None:
    if not flow.steps:
        assert told_of(flow) == ["not-in-documents"]
        return
    # What is drawn at random may be refused, however it is written.
    assume(not validate(flow))
    written = write_workflow(flow)
    VALIDATOR.validate(written)
    assert plain(read_workflow(json.loads(json.dumps(written)))) == plain(flow)


@patiently
@given(workflows(), st.data())
def test_every_problem_of_a_broken_document_is_told_at_once(
    given: dict[str, Any], data: st.DataObject
) -> None:
    indexes = data.draw(st.permutations(range(len(given["nodes"]))))
    breakages = data.draw(st.lists(st.sampled_from(BREAKAGES), min_size=1, max_size=6, unique=True))
    broken = copy.deepcopy(given)
    planted = _broken(broken, breakages, indexes)
    told = problems_of(broken)
    assert set(planted) <= {path for _, path in told}
    assert len(told) >= len(planted)


def _broken(document: dict[str, Any], breakages: list[Breakage], indexes: list[int]) -> list[str]:
    """Breaks a document, no node of it twice; returns where."""
    return [breakage(document, index) for breakage, index in zip(breakages, indexes, strict=False)]


@patiently
@given(st.sampled_from(NAMES), st.data())
def test_a_document_with_anything_anywhere_never_ends_in_a_traceback(
    name: str, data: st.DataObject
) -> None:
    given: Any = document(name)
    for _ in range(data.draw(st.integers(1, 4))):
        _put_anywhere(given, data)
    problems_of(given)


@patiently
@given(ANYTHING)
@example({"nodes": [{"id": [], "type": {}, "loop": 5, "branch": {"rules": 5}}]})
def test_anything_at_all_is_a_flow_or_told(given: Any) -> None:
    problems_of(given)
    problems_of({"nodes": given, "edges": given, "metadata": given})
    problems_of({"nodes": [given, given], "edges": [given]})


@patiently
@given(st.text(max_size=30) | ANYTHING.map(repr))
def test_any_text_is_a_flow_or_told(text: str) -> None:
    problems_of(text)
    problems_of(yaml.safe_dump({"nodes": text}))
    problems_of(json.dumps({"nodes": [text]}))


def problems_of(given: Any) -> list[tuple[str, str]]:
    """Returns what is wrong with a document; it may be sound."""
    try:
        assert isinstance(read_workflow(given, slug="f"), Flow)
    except InvalidFlow as invalid:
        return [(problem.code, problem.path) for problem in invalid.problems]
    return []


def told_of(flow: Flow) -> list[str]:
    """Returns the codes of what documents cannot say of a flow."""
    with pytest.raises(InvalidFlow) as refused:
        write_workflow(flow)
    return [problem.code for problem in refused.value.problems]


def plain(flow: Flow) -> Flow:
    """Says of each step how it is tried, wherever the flow says it."""

    def options_of(step: Step) -> StepOptions:
        policy = asdict(retry_policy_of(flow.options, step.options))
        timeout = timeout_of(round(policy.pop("timeout") * MS))
        return StepOptions(**policy, **timeout)

    steps = (step.model_copy(update={"options": options_of(step)}) for step in flow.steps)
    limits = dict.fromkeys(TryOptions.model_fields)
    options = flow.options.model_copy(update=limits)
    return flow.model_copy(update={"steps": tuple(steps), "options": options})


def _put_anywhere(value: Any, data: st.DataObject) -> None:
    """Replaces, adds or removes something anywhere in a value."""
    while True:
        keys = list(value) if isinstance(value, dict) else list(range(len(value)))
        if not keys:
            return
        key = data.draw(st.sampled_from(keys))
        if isinstance(value[key], dict | list) and data.draw(st.booleans()):
            value = value[key]
            continue
        match data.draw(st.sampled_from(["replace", "remove", "double"])):
            case "replace":
                value[key] = data.draw(ANYTHING)
            case "remove":
                del value[key]
            case _ if isinstance(value, list):
                value.append(value[key])
        return
