import re

import psycopg2
import psycopg2.errors
import pytest

from dagster_pgflow.store.flows import FlowBuilder
from dagster_pgflow.validation.validate import validate
from tests.postgres import Session


@pytest.fixture(autouse=True)
def flow(sql: Session) -> None:
    """A flow with a single step, and map steps that end in different ways."""
    sql("select pgflow.create_flow('f'), pgflow.add_step('f', 'a')")
    sql("select pgflow.add_step('f', 'm', '{a}', step_type => 'map')")
    sql("select pgflow.add_step('f', 's', '{a}', step_type => 'map', when_exhausted => 'skip')")
    sql(
        "select pgflow.add_step('f', 'c', '{a}', step_type => 'map', when_exhausted => 'skip',"
        " collect_errors => true)"
    )


@pytest.mark.parametrize("source", ["m", "c"])
def test_a_map_step_behind_one_that_ends_for_all_elements_may_be_pipelined(
    sql: Session, source: str
) -> None:
    add = "select * from pgflow.add_step('f', 'p', %s, step_type => 'map', pipelined => true)"
    [first] = sql(add, [source])
    assert sql(add, [source]) == [first]
    [row] = sql.records(
        "select * from pgflow.add_step('f', 'q', '{p}', step_type => 'map', pipelined => true,"
        " when_exhausted => 'skip-cascade')"
    )
    assert row["settings"] == {"pipelined": True}
    assert sql.value("select pgflow.step_definitions('f') -> 4") == {
        "type": "map",
        "slug": "p",
        "depends_on": [source],
        "pipelined": True,
    }


@pytest.mark.parametrize(
    ("arguments", "constraint", "told"),
    [
        (
            "'{}', step_type => 'map'",
            "pipelined_step_follows_a_map_step",
            "does not depend on a map step; let it depend on one, or leave pipelined out.",
        ),
        (
            "'{a}', step_type => 'map'",
            "pipelined_step_follows_a_map_step",
            "does not depend on a map step; let it depend on one, or leave pipelined out.",
        ),
        (
            "'{m}'",
            "settings_fit_the_kind",
            'has the setting "pipelined", which no single step has; leave it out.',
        ),
        (
            "'{m}', step_type => 'map', required_input_pattern => '{}'",
            "pipelined_step_has_no_condition",
            "cannot have a condition; remove one of the two.",
        ),
        (
            "'{m}', step_type => 'map', forbidden_input_pattern => '{}'",
            "pipelined_step_has_no_condition",
            "cannot have a condition; remove one of the two.",
        ),
        (
            "'{m}', step_type => 'map', run_if => 'true'",
            "pipelined_step_has_no_condition",
            "cannot have a condition; remove one of the two.",
        ),
        (
            "'{m}', step_type => 'map', run_unless => 'true'",
            "pipelined_step_has_no_condition",
            "cannot have a condition; remove one of the two.",
        ),
        (
            "'{m}', step_type => 'map', batch_size => 5",
            "pipelined_step_takes_over_batches",
            'is pipelined and takes over the batches of "m"; say batch_size there.',
        ),
        (
            "'{s}', step_type => 'map'",
            "pipelined_step_follows_a_step_that_fails",
            (
                'is pipelined behind "s", whose when_exhausted is skip; let that one fail or'
                " collect its errors, or leave pipelined out."
            ),
        ),
        (
            "'{m,c}', step_type => 'map'",
            "map_step_has_at_most_one_dependency",
            'Map step "p" can have at most one dependency, but 2 were provided: m, c',
        ),
    ],
)
def test_any_other_pipelined_step_is_refused_with_a_sentence_and_leaves_nothing(
    sql: Session, arguments: str, constraint: str, told: str
) -> None:
    definition = sql.value("select pgflow.flow_definition('f')")
    versions = sql.value("select count(*) from pgflow.flow_versions")
    with pytest.raises(psycopg2.errors.CheckViolation, match=re.escape(told)) as caught:
        sql(f"select pgflow.add_step('f', 'p', {arguments}, pipelined => true)")
    assert caught.value.diag.constraint_name == constraint
    assert sql.value("select pgflow.flow_definition('f')") == definition
    assert sql.value("select count(*) from pgflow.flow_versions") == versions


def test_a_map_step_of_another_flow_is_not_the_one_before(sql: Session) -> None:
    sql("select pgflow.create_flow('a_flow'), pgflow.add_step('a_flow', 'm')")
    with pytest.raises(psycopg2.errors.CheckViolation, match="does not depend on a map step"):
        sql("select pgflow.add_step('a_flow', 'p', '{m}', step_type => 'map', pipelined => true)")
    sql("select pgflow.add_step('f', 'p', '{m}', step_type => 'map', pipelined => true)")


def test_only_a_map_step_collects_errors(sql: Session) -> None:
    with pytest.raises(psycopg2.errors.CheckViolation, match="which no single step has;"):
        sql("select pgflow.add_step('f', 'p', '{m}', collect_errors => true)")


@pytest.mark.parametrize("bound", ["max_failures => 0", "max_failures_percent => 5"])
def test_only_a_map_step_bounds_failures(sql: Session, bound: str) -> None:
    with pytest.raises(psycopg2.errors.CheckViolation, match="which no single step has;"):
        sql(f"select pgflow.add_step('f', 'p', '{{m}}', {bound})")


def test_nothing_is_pipelined_behind_a_step_that_counts_failures(sql: Session) -> None:
    sql("select pgflow.add_step('f', 'l', '{m}', step_type => 'map', max_failures => 5)")
    with pytest.raises(psycopg2.errors.CheckViolation) as refused:
        sql("select pgflow.add_step('f', 'p', '{l}', step_type => 'map', pipelined => true)")
    assert str(refused.value).startswith(
        'Step "p" of flow "f" is pipelined behind "l", whose max_failures can only be judged'
        " when all of its elements are done; leave pipelined out, or max_failures there."
    )


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ("opt_jitter = 'some'", "jitter_is_valid"),
        ("opt_max_delay = -1", "opt_max_delay_is_nonnegative"),
        *[
            (f"settings = '{settings}', step_type = 'map' where step_slug = 'm'", constraint)
            for settings, constraint in (
                ('{"max_failures": -1}', "max_failures_is_nonnegative"),
                ('{"max_failures_percent": 101}', "max_failures_percent_is_in_range"),
                ('{"batch_size": 0}', "batch_size_is_positive"),
                ('{"pipelined": true, "batch_size": 2}', "takes_over_batches"),
                ("{\"pipelined\": true}', run_if = 'true", "has_no_condition"),
            )
        ],
    ],
)
def test_plain_sql_is_held_to_what_one_row_can_tell(
    sql: Session, change: str, constraint: str
) -> None:
    with pytest.raises(psycopg2.errors.CheckViolation, match=constraint):
        sql(f"update pgflow.steps set {change}")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ("update pgflow.steps set when_exhausted = 'skip' where step_slug = 'm'", "behind-a-skip"),
        ("delete from pgflow.deps where step_slug = 'p'", "without-map"),
        ("update pgflow.deps set dep_slug = 'a' where step_slug = 'p'", "without-map"),
        ("update pgflow.steps set step_type = 'single' where step_slug = 'm'", "without-map"),
    ],
)
def test_what_plain_sql_breaks_in_two_rows_is_found_by_the_rules(
    sql: Session, builder: FlowBuilder, change: str, code: str
) -> None:
    sql("select pgflow.add_step('f', 'p', '{m}', step_type => 'map', pipelined => true)")
    assert validate(builder.get_flow("f")) == ()
    sql(change)
    assert [problem.code for problem in validate(builder.get_flow("f"))] == [f"pipelined-{code}"]
