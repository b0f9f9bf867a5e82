"""SQL and Python refuse the same definitions, and say the same code."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

import dagster_pgflow
from dagster_pgflow.node_types.known import NODE_TYPES
from dagster_pgflow.store.flows import FlowBuilder
from tests.broken_flows import CHANGES, documents, documents_with
from tests.broken_kinds import Change
from tests.postgres import Session
from tests.store.problem_codes import (
    CHILD,
    ONLY_PYTHON_KNOWS,
    ONLY_SQL_KNOWS,
    SQL_KNOWS_IN_PART,
    assert_same_code,
    codes_of,
    known_to_both,
)
from tests.store.sql_definitions import Document, refusal_of_whole, refusal_step_by_step

PACKAGE = Path(dagster_pgflow.__file__).parent
CODE = re.compile(r"[a-z]+(-[a-z]+)+")
NO_CODES = {"skip-cascade", "wrong-type", "content-length", "transfer-encoding"}
"""What looks like a code in the modules of the rules."""

RAISED = re.compile(r"'([a-z]+(?:_[a-z]+){2,})'")
NO_CONSTRAINTS = {
    "foreign_key_violation",
    "null_value_not_allowed",
    "object_not_in_prerequisite_state",
    "invalid_parameter_value",
    "max_failures_percent",
}
"""What looks like a constraint in the functions that refuse."""

SHORT_NAMES = {"flow_exists", "subflow_exists"}
"""Constraints that only our functions raise, and whose names could be those of anything."""


@pytest.fixture
def child(builder: FlowBuilder) -> None:
    builder.define_flow(CHILD)


@given(document=documents())
def test_what_is_refused_step_by_step_is_what_the_rules_refuse(
    child: None, sql: Session, document: Document
) -> None:
    assert_steps_are_refused_alike(sql, document)


@given(document=documents())
def test_what_the_tables_refuse_the_rules_refuse_too(
    child: None, sql: Session, document: Document
) -> None:
    assert_tables_refuse_no_more(sql, document)


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
@settings(max_examples=settings().max_examples // 10)
@given(data=st.data())
def test_each_change_is_met_and_refused_alike(
    child: None, sql: Session, change: Change, data: st.DataObject
) -> None:
    document = data.draw(documents_with(change))
    assert_steps_are_refused_alike(sql, document)
    assert_tables_refuse_no_more(sql, document)


def assert_steps_are_refused_alike(sql: Session, document: Document) -> None:
    codes = codes_of(document)
    refusal = refusal_step_by_step(sql, document)
    event(f"SQL says {refusal.code if refusal else 'nothing'}")
    if refusal is None:
        assert known_to_both(codes) == set()
    else:
        assert_same_code(refusal, codes)


def assert_tables_refuse_no_more(sql: Session, document: Document) -> None:
    refusal = refusal_of_whole(sql, document)
    if refusal is not None:
        assert_same_code(refusal, codes_of(document))


def codes_of_rules() -> set[str]:
    """Returns the codes that stand in the modules of the rules; those of the lint only warn."""
    folders = ("validation", "node_types", "model/steps")
    modules = [module for folder in folders for module in (PACKAGE / folder).glob("*.py")]
    return {
        node.value
        for module in modules
        for node in ast.walk(ast.parse(module.read_text()))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and CODE.fullmatch(node.value)
    } - NO_CODES


def test_of_every_rule_it_is_said_whether_sql_knows_it(sql: Session) -> None:
    known_to_sql = set(sql.column("select code from pgflow.problem_codes()"))
    assert codes_of_rules() - known_to_sql == ONLY_PYTHON_KNOWS
    assert known_to_sql - codes_of_rules() == ONLY_SQL_KNOWS
    assert known_to_sql >= SQL_KNOWS_IN_PART


def test_every_constraint_of_a_definition_says_which_problem_it_is(sql: Session) -> None:
    named = set(sql.column("select constraint_name from pgflow.problem_codes()"))
    constraints = set(
        sql.column(
            "select conname from pg_constraint"
            " where conrelid = any (array['pgflow.flows', 'pgflow.steps', 'pgflow.deps',"
            " 'pgflow.schedules', 'pgflow.triggers']::regclass[]) and contype <> 'n'"
            # PostgreSQL itself gives a trigger its number.
            " and conname <> 'triggers_pkey'"
            " union select indexrelid::regclass::text from pg_index"
            " where indrelid = 'pgflow.steps'::regclass and indisunique"
            " and not exists (select from pg_constraint where conindid = indexrelid)"
        )
    )
    constraints = {name.removeprefix("pgflow.") for name in constraints}
    assert constraints - named == set()
    raised = set(raised_constraints(sql)) - NO_CONSTRAINTS
    assert raised - named == set()
    assert named - constraints - raised == SHORT_NAMES


def raised_constraints(sql: Session) -> Iterator[str]:
    """Yields what may be a constraint in the functions that refuse definitions."""
    for source in sql.column(
        "select prosrc from pg_proc where pronamespace = 'pgflow'::regnamespace"
        " and prosrc ~ 'problem_code\\(|refuse_step\\(|broken_constraint|refuse_unless_slug\\('"
    ) + sql.column(
        "select prosrc from pg_proc where pronamespace = 'pgflow'::regnamespace"
        " and proname in ('body_problem', 'route_problem', 'rule_problem', 'reference_problems',"
        " 'tag_problem')"
    ):
        yield from RAISED.findall(source)


def test_params_that_are_no_templates_are_the_same_in_sql(sql: Session) -> None:
    for handler, config in NODE_TYPES.items():
        assert set(sql.value("select pgflow.literal_params(%s)", handler)) == config.literal
    assert sql.value("select pgflow.literal_params(%s)", "mine") == []
