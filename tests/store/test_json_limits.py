"""SQL and Python take the same JSON, and refuse the rest in the same words."""

import json
from typing import Any

import psycopg2
import pytest
from hypothesis import given

from dagster_pgflow import Flow
from dagster_pgflow.json_values.limits import (
    TOO_DEEP,
    TOO_LARGE,
    TOO_LONG,
    problem_of,
    refusal,
)
from dagster_pgflow.json_values.text import read_json
from dagster_pgflow.limits import MOST_DIGITS, MOST_LEVELS
from dagster_pgflow.step_errors import ValueNotJson
from dagster_pgflow.store.flows import FlowBuilder
from dagster_pgflow.store.requests import Requests
from tests import hostile_json
from tests.hostile_json import nested
from tests.postgres import Session

EDGES: dict[str, tuple[str, str | None]] = {
    "100 levels": ("[" * 100 + "]" * 100, None),
    "101 levels": ("[" * 101 + "]" * 101, TOO_DEEP),
    "101 levels of objects": ('{"a":' * 101 + "{}" + "}" * 101, TOO_DEEP),
    "brackets in text": (json.dumps("[" * 500), None),
    "a text in 100 levels": ("[" * 100 + '"["' + "]" * 100, None),
    "1,000 digits": ("9" * 1000, None),
    "1,001 digits": ("1" + "0" * 1000, TOO_LONG),
    "1e999": ("1e999", None),
    "-1e1000": ("[-1e1000]", TOO_LONG),
    "1e5000": ('{"a": 1e5000}', TOO_LONG),
    "digits behind the point": (f"0.{'3' * 1000}", TOO_LONG),
    "1e-5000": ("1e-5000", TOO_LONG),
    "1e-300": ("1e-300", None),
    "digits in text": (json.dumps("9" * 5000), None),
    "a digit as a key": (json.dumps({"9" * 5000: 1}), None),
    "308 digits and a half": (f"{'1' * 308}.5", None),
    "minus 308 digits and a half": (f"-{'1' * 308}.5", None),
    "400 digits and a half": (f"{'9' * 400}.5", TOO_LARGE),
}


@pytest.mark.parametrize("name", EDGES)
def test_a_limit_lies_at_the_same_place_on_both_sides(sql: Session, name: str) -> None:
    text, problem = EDGES[name]
    assert sql.value("select pgflow.json_problem(%s::jsonb)", text) == problem
    plain = sql.value("select %s::jsonb::text", text)
    if problem is None:
        assert read_json(plain, "It") == json.loads(plain)
    elif name not in ("digits behind the point", "1e-5000"):
        # Python reads these two as what they are nearest to.
        with pytest.raises(ValueNotJson) as refused:
            read_json(plain, "It")
        assert str(refused.value) == refusal("It", problem)


@given(hostile_json.taken_texts)
def test_what_sql_takes_python_reads(sql: Session, text: str) -> None:
    assert sql.value("select pgflow.json_problem(%s::jsonb)", text) is None
    assert problem_of(json.loads(sql.value("select %s::jsonb::text", text))) is None


@given(hostile_json.accepted)
def test_what_python_takes_sql_takes(sql: Session, value: Any) -> None:
    assert problem_of(value) is None
    assert sql.value("select pgflow.json_problem(%s::jsonb)", json.dumps(value)) is None


TOO_MUCH = nested(1, MOST_LEVELS + 1, lambda inner: {"a": inner})


@pytest.mark.parametrize(
    ("statement", "meaning"),
    [
        ("select pgflow.start_flow('f', %s::jsonb)", 'The input of flow "f"'),
        ("select pgflow.add_step('f', 'b', params => %s::jsonb)", 'The params of step "b"'),
        (
            "select pgflow.add_step('f', 'b', input_schema => %s::jsonb)",
            'The input schema of step "b"',
        ),
        (
            "select pgflow.add_step('f', 'b', required_input_pattern => %s::jsonb)",
            'The required input of step "b"',
        ),
        (
            "select pgflow.create_flow('g', output_schema => %s::jsonb)",
            'The output schema of flow "g"',
        ),
    ],
)
def test_functions_refuse_what_is_too_much_with_one_sentence(
    sql: Session, builder: FlowBuilder, statement: str, meaning: str
) -> None:
    builder.define_flow(Flow("f").step("a"))
    with pytest.raises(psycopg2.Error) as refused:
        sql(statement, json.dumps(TOO_MUCH))
    assert str(refused.value).splitlines()[0] == refusal(meaning, TOO_DEEP)


@pytest.mark.parametrize(
    "statement",
    [
        "update pgflow.steps set params = %s::jsonb",
        "update pgflow.steps set output_schema = %s::jsonb",
        "update pgflow.flows set input_schema = %s::jsonb",
        """
        insert into pgflow.schedules (flow_slug, schedule_slug, cron, input)
        values ('f', 's', '@daily', %s::jsonb)
        """,
        """
        insert into pgflow.run_requests (run_id, flow_slug, version_id, input)
        values (gen_random_uuid(), 'f', 1, %s::jsonb)
        """,
    ],
)
def test_no_row_can_have_what_is_too_much_however_it_comes(
    sql: Session, builder: FlowBuilder, statement: str
) -> None:
    builder.define_flow(Flow("f").step("a"))
    with pytest.raises(psycopg2.Error, match="json_is_within_limits"):
        sql(statement, json.dumps(TOO_MUCH))


@pytest.mark.parametrize(
    ("value", "problem"),
    [(TOO_MUCH, TOO_DEEP), ([10**MOST_DIGITS], TOO_LONG), (nested(1, 50_000), TOO_DEEP)],
    ids=["101 levels", "1,001 digits", "50,000 levels"],
)
def test_python_refuses_an_input_with_the_same_sentence(
    requests: Requests, builder: FlowBuilder, value: Any, problem: str
) -> None:
    builder.define_flow(Flow("f").step("a"))
    with pytest.raises(ValueNotJson) as refused:
        requests.start("f", value)
    assert str(refused.value) == refusal('The input of flow "f"', problem)
