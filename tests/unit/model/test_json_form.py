"""The JSON form of a flow: what `flow_versions.definition` holds and what files hold."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.validation.validate import parse_flow

texts = st.text(max_size=5)
numbers_of_json = st.floats(allow_nan=False, allow_infinity=False)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | numbers_of_json | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
objects = st.dictionaries(texts, json_values, max_size=3)
numbers = st.none() | st.integers(0, 99)
outcomes = st.sampled_from(["fail", "skip", "skip-cascade"])


def present(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Documents with some of the fields; an absent field is an absent key."""
    return st.fixed_dictionaries({}, optional=fields)


jitters = st.sampled_from([None, "none", "full", "plus-minus"])
options = present(
    max_attempts=numbers, base_delay=numbers, timeout=numbers, max_delay=numbers, jitter=jitters
)
of_all_steps = {
    "description": texts,
    "depends_on": st.lists(texts, max_size=3),
    "options": present(
        max_attempts=numbers, start_delay=numbers, max_delay=numbers, jitter=jitters
    ),
    "if": objects,
    "if_not": objects,
    "run_if": texts,
    "run_unless": texts,
    "when_unmet": outcomes,
    "when_exhausted": outcomes,
}
of_handled_steps = of_all_steps | {
    "handler": texts,
    "params": objects,
    "input_schema": objects,
    "output_schema": objects,
    "pool": texts,
}


def steps_of(kind: str, **required: Any) -> st.SearchStrategy[dict[str, Any]]:
    optional: dict[str, st.SearchStrategy[Any]]
    optional = dict(of_all_steps if kind == "subflow" else of_handled_steps)
    if kind == "map":
        optional |= {"collect_errors": st.booleans(), "pipelined": st.booleans()}
        optional |= {"max_failures": st.integers(0), "max_failures_percent": st.integers(0, 100)}
    return st.fixed_dictionaries(
        {"type": st.just(kind), "slug": texts, **required}, optional=optional
    )


steps = (
    steps_of("single")
    | steps_of("map", batch_size=st.none() | st.integers(1, 9))
    | steps_of("subflow", flow=texts)
)
schedules = st.fixed_dictionaries(
    {"slug": texts, "cron": texts},
    optional={"timezone": texts, "input": json_values, "enabled": st.booleans()},
)
documents = st.fixed_dictionaries(
    {"slug": texts},
    optional={
        "description": texts,
        "input_schema": objects,
        "output_schema": objects,
        "options": options,
        "tags": st.dictionaries(texts, texts, max_size=3),
        "steps": st.lists(steps, max_size=4),
        "schedules": st.lists(schedules, max_size=2),
    },
)


@given(documents)
def test_a_flow_survives_the_way_to_json_and_back(document: dict[str, Any]) -> None:
    flow = parse_flow(document)
    assert parse_flow(json.loads(json.dumps(flow.to_json()))) == flow


@given(documents)
def test_the_json_form_of_a_flow_is_stable(document: dict[str, Any]) -> None:
    written = parse_flow(document).to_json()
    assert parse_flow(written).to_json() == written


def test_defaults_are_left_out() -> None:
    flow = Flow("f").step("a").map("m", depends_on="a").subflow("s", "payment", depends_on="m")
    assert flow.to_json() == {
        "slug": "f",
        "steps": [
            {"type": "single", "slug": "a"},
            {"type": "map", "slug": "m", "depends_on": ["a"]},
            {"type": "subflow", "slug": "s", "depends_on": ["m"], "flow": "payment"},
        ],
    }


def test_conditions_are_written_under_their_sql_like_names() -> None:
    flow = Flow("f").step("a", if_={"x": 1}, if_not={})
    assert flow.to_json()["steps"] == [
        {"type": "single", "slug": "a", "if": {"x": 1}, "if_not": {}}
    ]


def test_what_a_map_step_has_of_its_own_is_written_when_it_was_said() -> None:
    flow = Flow("f").map("m", collect_errors=True, jitter="none").map("n", pipelined=True)
    assert flow.to_json()["steps"] == [
        {"type": "map", "slug": "m", "collect_errors": True, "options": {"jitter": "none"}},
        {"type": "map", "slug": "n", "pipelined": True},
    ]
    assert parse_flow(flow.to_json()) == flow


def test_everything_that_was_said_is_written() -> None:
    flow = (
        Flow("f", description="d", timeout=5, tags={"team": "x"}, input_schema={"type": "array"})
        .map("m", "h", params={"p": None}, batch_size=2, max_attempts=1, start_delay=0)
        .schedule("nightly", "0 2 * * *", timezone="Europe/Berlin", input=None)
    )
    assert flow.to_json() == {
        "slug": "f",
        "description": "d",
        "input_schema": {"type": "array"},
        "options": {"timeout": 5},
        "tags": {"team": "x"},
        "steps": [
            {
                "type": "map",
                "slug": "m",
                "handler": "h",
                "params": {"p": None},
                "batch_size": 2,
                "options": {"max_attempts": 1, "start_delay": 0},
            }
        ],
        "schedules": [{"slug": "nightly", "cron": "0 2 * * *", "timezone": "Europe/Berlin"}],
    }


@pytest.mark.parametrize("value", [None, 0, False, "", []])
def test_a_falsy_schedule_input_is_kept(value: Any) -> None:
    document = {
        "slug": "f",
        "schedules": [{"slug": "s", "cron": "0 2 * * *", "input": value}],
    }
    assert parse_flow(document).to_json() == document


def test_a_number_that_json_does_not_have_is_not_quietly_replaced() -> None:
    flow = Flow("f", input_schema={"maximum": math.inf}).step("a", params={"limit": math.inf})
    with pytest.raises(ValueError, match="not JSON compliant"):
        json.dumps(flow.to_json(), allow_nan=False)
