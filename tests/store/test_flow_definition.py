import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dagster_pgflow.model.flow import Flow, Schedule
from dagster_pgflow.model.options import FlowOptions, StepOptions
from dagster_pgflow.model.step import MapStep, SingleStep, Step, SubflowStep
from dagster_pgflow.store.flows import FlowBuilder
from dagster_pgflow.store.stored_form import stored_form
from dagster_pgflow.validation.validate import parse_flow
from tests.postgres import Session

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | TEXTS
    | st.sampled_from([0.5, -1.25]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXTS, inner, max_size=2),
    max_leaves=5,
)
OBJECTS = st.dictionaries(TEXTS, JSON, max_size=3)
COUNTS = st.none() | st.integers(0, 9)
SLUGS = [f"step_{letter}" for letter in "abcdef"]


@st.composite
def steps(draw: st.DrawFn, slug: str, earlier: list[str]) -> Step:
    common: dict[str, Any] = {
        "slug": slug,
        "description": draw(TEXTS),
        "options": StepOptions(
            max_attempts=draw(COUNTS),
            base_delay=draw(COUNTS),
            timeout=draw(st.none() | st.integers(1, 9)),
            start_delay=draw(COUNTS),
        ),
        "if_": draw(st.none() | OBJECTS),
        "if_not": draw(st.none() | OBJECTS),
        "when_unmet": draw(st.sampled_from(["fail", "skip", "skip-cascade"])),
        "when_exhausted": draw(st.sampled_from(["fail", "skip", "skip-cascade"])),
    }
    handled: dict[str, Any] = {
        "handler": draw(st.none() | st.just("shop.price")),
        "params": draw(OBJECTS),
        "input_schema": draw(st.none() | OBJECTS),
        "output_schema": draw(st.none() | OBJECTS),
    }
    depends_on = st.lists(st.sampled_from(earlier), unique=True) if earlier else st.just([])
    match draw(st.sampled_from(["single", "map", "subflow"])):
        case "single":
            return SingleStep(**common, **handled, depends_on=tuple(draw(depends_on)))
        case "map":
            batch_size = draw(st.none() | st.integers(1, 9))
            source = tuple(draw(depends_on)[:1])
            return MapStep(**common, **handled, depends_on=source, batch_size=batch_size)
        case _:
            return SubflowStep(**common, depends_on=tuple(draw(depends_on)), flow="child")


@st.composite
def flows(draw: st.DrawFn) -> Flow:
    count = draw(st.integers(0, len(SLUGS)))
    return Flow(
        slug="f",
        description=draw(TEXTS),
        input_schema=draw(st.none() | OBJECTS),
        output_schema=draw(st.none() | OBJECTS),
        options=FlowOptions(
            max_attempts=draw(st.none() | st.integers(0, 2)),
            base_delay=draw(st.none() | st.integers(6, 9)),
            timeout=draw(st.none() | st.integers(1, 9)),
        ),
        tags=draw(st.dictionaries(TEXTS, TEXTS, max_size=2)),
        steps=tuple(draw(steps(SLUGS[index], SLUGS[:index])) for index in range(count)),
        schedules=tuple(
            Schedule(
                slug=slug,
                cron="0 2 * * *",
                timezone=draw(st.sampled_from(["UTC", "Europe/Berlin"])),
                input=draw(JSON),
                enabled=draw(st.booleans()),
            )
            for slug in draw(st.sampled_from([[], ["A", "a"], ["z"]]))
        ),
    )


@pytest.fixture
def child(builder: FlowBuilder) -> None:
    builder.create_flow("child")


@settings(
    max_examples=80,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(flow=flows())
def test_a_flow_comes_back_as_it_was_stored(
    builder: FlowBuilder, sql: Session, child: None, flow: Flow
) -> None:
    builder.define_flow(flow)
    assert builder.get_flow("f") == flow
    definition = sql.value("select pgflow.flow_definition('f')")
    assert json.dumps(definition, sort_keys=True) == json.dumps(stored_form(flow), sort_keys=True)
    assert parse_flow(definition) == flow


def test_there_is_no_definition_of_an_unknown_flow(sql: Session) -> None:
    assert sql.value("select pgflow.flow_definition('nope')") is None


def test_an_empty_flow_has_only_a_slug(sql: Session) -> None:
    sql("select pgflow.create_flow('f')")
    assert sql.value("select pgflow.flow_definition('f')") == {"slug": "f"}


def test_nulls_and_empty_values_that_the_author_wrote_are_kept(sql: Session) -> None:
    written = '{"a": null, "b": {"c": null}, "d": [], "e": ""}'
    sql("select pgflow.create_flow('f')")
    sql(
        "select pgflow.add_step('f', 'a', params => %s, required_input_pattern => '{}',"
        " forbidden_input_pattern => %s)",
        written,
        written,
    )
    sql("insert into pgflow.schedules values ('f', 'x', '0 2 * * *', 'UTC', 'null')")
    definition = sql.value("select pgflow.flow_definition('f')")
    assert definition["steps"] == [
        {
            "type": "single",
            "slug": "a",
            "params": json.loads(written),
            "if": {},
            "if_not": json.loads(written),
        }
    ]
    assert definition["schedules"] == [{"slug": "x", "cron": "0 2 * * *", "input": None}]


def test_options_equal_to_the_defaults_of_the_product_are_absent(sql: Session) -> None:
    sql("select pgflow.create_flow('f', 3, 5, 60)")
    assert sql.value("select pgflow.flow_definition('f')") == {"slug": "f"}
    sql("select pgflow.add_step('f', 'a', '{}', 3, 5, 60, 0)")
    [step] = sql.value("select pgflow.step_definitions('f')")
    assert step["options"] == {
        "max_attempts": 3,
        "base_delay": 5,
        "timeout": 60,
        "start_delay": 0,
    }
