import json

import pytest
from hypothesis import given, settings

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.stored_form import stored_form
from dagster_pgflow.store.flows import FlowBuilder
from dagster_pgflow.validation.validate import parse_flow
from tests.drawn_flows import flows
from tests.postgres import Session


@pytest.fixture
def child(builder: FlowBuilder) -> None:
    builder.create_flow("child")


@settings(
    max_examples=80,
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
