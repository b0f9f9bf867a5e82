"""What is called around handlers is named, and steps without a handler have nothing around it."""

from typing import Any

import psycopg2.errors
import pytest

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.validation.validate import validate
from tests.postgres import Session


@pytest.fixture(autouse=True)
def flow(sql: Session) -> None:
    sql("select pgflow.create_flow('f'), pgflow.add_step('f', 'a')")


@pytest.mark.parametrize(
    ("settings", "path", "code", "told"),
    [
        (
            {"before": ["audit", ""]},
            "before[1]",
            "invalid-handler",
            "names a handler without a name in before; name one, or leave it out.",
        ),
        (
            {"after": ["pgflow.http"]},
            "after[0]",
            "hook-is-a-node-type",
            (
                'names "pgflow.http" in after, which is a node type and takes params of its own;'
                " let a step do it, or name a handler."
            ),
        ),
        (
            {"requires": [""]},
            "requires[0]",
            "invalid-resource",
            "requires a resource without a name; name it, or leave it out.",
        ),
    ],
    ids=["no name", "node type", "resource"],
)
def test_names_that_are_none_are_refused_in_one_sentence_by_both(
    sql: Session, settings: dict[str, Any], path: str, code: str, told: str
) -> None:
    [(field, names)] = settings.items()
    with pytest.raises(psycopg2.errors.CheckViolation) as refused:
        sql(f"select pgflow.add_step('f', 'p', {field} => %s)", names)
    assert str(refused.value).splitlines()[0] == f'Step "p" of flow "f" {told}'
    [problem] = validate(Flow("f").step("p", **settings))
    assert (problem.path, problem.code) == (f"steps.p.{path}", code)
    assert problem.message == f'Step "p" {told}'


def test_a_branch_without_a_handler_has_nothing_before_it(sql: Session) -> None:
    rules = """'[{"when": "true", "then": ["t"]}]'"""
    with pytest.raises(psycopg2.errors.CheckViolation) as refused:
        sql(
            f"select pgflow.add_step('f', 'p', step_type => 'branch', rules => {rules},"
            " before => array['audit'])"
        )
    told = (
        "has no handler, so nothing can be called before it; name a handler, or leave before out."
    )
    assert str(refused.value).splitlines()[0] == f'Step "p" of flow "f" {told}'
    flow = Flow("f").branch("p", rules=[("true", "t")], before="audit").step("t", depends_on="p")
    [problem] = validate(flow)
    assert (problem.code, problem.message) == ("hook-without-handler", f'Step "p" {told}')


@pytest.mark.parametrize(
    ("settings", "constraint"),
    [
        ('{"before": [""]}', "hooks_have_names"),
        ('{"after": ["pgflow.http"]}', "hooks_are_no_node_types"),
        ('{"requires": ["db", ""]}', "resources_have_names"),
        ('{"check_schemas": "always"}', "check_schemas_is_valid"),
    ],
)
def test_plain_sql_is_held_to_it_too(sql: Session, settings: str, constraint: str) -> None:
    with pytest.raises(psycopg2.errors.CheckViolation, match=constraint):
        sql("update pgflow.steps set settings = %s where step_slug = 'a'", settings)
