"""Pools are named as slugs are, and belong to steps that call a handler."""

import psycopg2.errors
import pytest

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.validation.validate import validate
from tests.postgres import Session

RULE = (
    "a pool is named as a slug is: 1 to 128 letters, digits or underscores, no digit first,"
    ' and not the reserved word "run".'
)


@pytest.fixture(autouse=True)
def flow(sql: Session) -> None:
    sql("select pgflow.create_flow('g'), pgflow.add_step('g', 'one')")
    sql("select pgflow.create_flow('f'), pgflow.add_step('f', 'a'), pgflow.add_step('f', 'b')")


@pytest.mark.parametrize("pool", ["", "a b", "../mail", "dagster/mail", "run", "y" * 200])
def test_a_name_that_is_none_is_refused_in_one_sentence_by_both(sql: Session, pool: str) -> None:
    with pytest.raises(psycopg2.errors.CheckViolation) as refused:
        sql("select pgflow.add_step('f', 'p', pool => %s)", pool)
    told = f'Step "p" of flow "f" has the pool "{pool[:128]}"; {RULE}'
    assert str(refused.value).splitlines()[0] == told
    [problem] = validate(Flow("f").step("p", pool=pool))
    assert (problem.path, problem.code) == ("steps.p.pool", "invalid-pool")
    assert problem.message == told.replace(' of flow "f"', "")


@pytest.mark.parametrize(
    ("step", "kind"),
    [
        ("'{a}', step_type => 'subflow', subflow_slug => 'g'", "subflow"),
        ("'{a,b}', step_type => 'join'", "join"),
    ],
)
def test_a_step_that_calls_no_handler_has_no_pool(sql: Session, step: str, kind: str) -> None:
    with pytest.raises(psycopg2.errors.CheckViolation) as refused:
        sql(f"select pgflow.add_step('f', 'p', {step}, pool => 'mail')")
    assert str(refused.value).splitlines()[0] == (
        f'Step "p" of flow "f" is a {kind}, which has no handler and so no pool; give one to the'
        " steps that do the work."
    )


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ("pool = 'pgflow/x'", "pool_is_valid"),
        ("pool = 'mail', step_type = 'join'", "only_steps_with_handlers_have_a_pool"),
    ],
)
def test_plain_sql_is_held_to_it_too(sql: Session, change: str, constraint: str) -> None:
    with pytest.raises(psycopg2.errors.CheckViolation, match=constraint):
        sql(f"update pgflow.steps set {change} where flow_slug = 'f' and step_slug = 'a'")
