import re

import psycopg2
import psycopg2.errors
import pytest

from dagster_pgflow.store.flows import FlowBuilder
from dagster_pgflow.validation.validate import validate
from tests.postgres import Session


@pytest.fixture(autouse=True)
def flows(sql: Session) -> None:
    """A flow to contain, and one with a subflow step whose failure step is still to come."""
    sql("select pgflow.create_flow('child'), pgflow.add_step('child', 'one')")
    sql("select pgflow.create_flow('f'), pgflow.add_step('f', 'a'), pgflow.add_step('f', 'b')")
    sql(subflow("s", "on_failure => 'mend'"))


def subflow(slug: str, arguments: str, flow: str = "f") -> str:
    return (
        f"select pgflow.add_step('{flow}', '{slug}', step_type => 'subflow',"
        f" subflow_slug => 'child', {arguments})"
    )


def test_the_failure_step_is_added_after_the_step_that_names_it(sql: Session) -> None:
    sql("select pgflow.add_step('f', 'mend', '{s,a}')")
    sql("select pgflow.add_step('f', 'mend', '{s,a}')")
    sql(subflow("s", "on_failure => 'mend'"))
    assert sql.value("select status from pgflow.start_flow('f')") == "queued"


def test_a_flow_whose_failure_step_never_came_cannot_start_and_leaves_no_request(
    sql: Session,
) -> None:
    told = (
        'Flow "f" cannot start: step "s" of flow "f" goes on with "mend" when it fails, which does'
        " not exist; add it."
    )
    with pytest.raises(psycopg2.errors.ObjectNotInPrerequisiteState, match=re.escape(told)):
        sql("select pgflow.start_flow('f')")
    assert sql.value("select count(*) from pgflow.runs") == 0


def test_neither_can_a_flow_that_contains_it(sql: Session) -> None:
    sql("select pgflow.create_flow('outer')")
    sql("select pgflow.add_step('outer', 'inner', step_type => 'subflow', subflow_slug => 'f')")
    told = 'Flow "outer" cannot start: step "s" of flow "f" goes on with "mend"'
    with pytest.raises(psycopg2.errors.ObjectNotInPrerequisiteState, match=re.escape(told)):
        sql("select pgflow.start_flow('outer')")


@pytest.mark.parametrize(
    ("statement", "constraint", "told"),
    [
        (
            "select pgflow.add_step('f', 'mend', '{a}')",
            "failure_step_depends_on_its_subflow",
            'Step "mend" of flow "f" goes on when "s" fails, so it must depend on it; add "s" to',
        ),
        (
            "select pgflow.add_step('f', 'mend', '{s}', step_type => 'map')",
            "failure_step_is_no_map",
            'goes on when "s" fails, but is a map step; let a single or subflow step do it.',
        ),
        (
            "select pgflow.add_step('f', 'mend', '{a,s}', step_type => 'join', wait => 'any')",
            "failure_step_is_no_join",
            'goes on when "s" fails, but is a join; let a single or subflow step do it.',
        ),
        (
            subflow("t", "on_failure => 't'"),
            "failure_step_is_another_step",
            'Step "t" of flow "f" cannot go on with itself when it fails; name another step',
        ),
        (
            subflow("t", "on_failure => 'a'"),
            "failure_step_depends_on_its_subflow",
            'goes on with "a" when it fails, which was added before it and so does not depend on',
        ),
        (
            "select pgflow.add_step('f', 't', on_timeout => 't')",
            "failure_step_is_another_step",
            (
                'Step "t" of flow "f" cannot go on with itself when it fails; name another step in'
                " on_timeout"
            ),
        ),
        (
            "select pgflow.add_step('f', 't', '{a}', on_failure => 'mend', on_timeout => 'a')",
            "failure_step_comes_after_its_subflow",
            'goes on with "a" when it fails, which was added before it',
        ),
        (
            "select pgflow.add_step('f', 'j', '{a,s}', step_type => 'join', members => '{a}')",
            "members_have_a_failure_step",
            "names members and no on_failure, so that it catches no failure",
        ),
        (
            (
                "select pgflow.add_step('f', 'j', '{a,s}', step_type => 'join', members => '{x}',"
                " on_failure => 'undo')"
            ),
            "members_are_dependencies",
            'names "x" among its members, which it does not depend on; add "x" to deps_slugs',
        ),
        (
            "select pgflow.add_step('f', 'j', '{a,s}', step_type => 'join', on_failure => 'undo')",
            "members_have_no_failure_step",
            'catches the failure of "s", which goes on with "mend" itself; leave one of the two',
        ),
        (
            (
                "select pgflow.add_step('f', 'i', '{a,b}', step_type => 'join', on_failure => 'u'),"
                " pgflow.add_step('f', 'j', '{a,s}', step_type => 'join', members => '{a}',"
                " on_failure => 'undo')"
            ),
            "members_have_one_join",
            'Step "j" of flow "f" catches the failure of "a", and so does join "i"',
        ),
        (
            (
                "select pgflow.add_step('f', 'm', step_type => 'map', on_failure => 'undo'),"
                " pgflow.add_step('f', 'n', '{m}', step_type => 'map', pipelined => true)"
            ),
            "pipelined_step_follows_a_step_that_ends",
            'is pipelined behind "m", after whose failure the run goes on',
        ),
        (
            (
                "select pgflow.add_step('f', 'm', step_type => 'map'),"
                " pgflow.add_step('f', 'n', '{m}', step_type => 'map', pipelined => true),"
                " pgflow.add_step('f', 'j', '{a,m}', step_type => 'join', on_failure => 'undo')"
            ),
            "pipelined_step_follows_a_step_that_ends",
            'catches the failure of "m", whose elements the pipelined step "n" takes over',
        ),
        (
            subflow("t", "on_failure => '1st'"),
            "steps_step_slug_check",
            'goes on with "1st", which is not a valid step slug.',
        ),
        (
            subflow("t", "on_timeout => 'u'"),
            "settings_fit_the_kind",
            'has the setting "on_timeout", which no subflow step has; leave it out.',
        ),
    ],
)
def test_any_other_failure_step_is_refused_with_a_sentence_and_leaves_nothing(
    sql: Session, statement: str, constraint: str, told: str
) -> None:
    definition = sql.value("select pgflow.flow_definition('f')")
    with pytest.raises(psycopg2.errors.CheckViolation, match=re.escape(told)) as caught:
        sql(statement)
    assert caught.value.diag.constraint_name == constraint
    assert sql.value("select pgflow.flow_definition('f')") == definition


@pytest.mark.parametrize(
    ("change", "told", "code"),
    [
        ("delete from pgflow.deps", "does not depend on it; add that dependency", "not-behind"),
        (
            "update pgflow.steps set step_type = 'map' where step_slug = 'mend'",
            "is a map step; let a single or subflow step do it",
            "is-a-map",
        ),
        (
            """
            insert into pgflow.deps (flow_slug, dep_slug, step_slug) values ('f', 'a', 'mend');
            update pgflow.steps set step_type = 'join' where step_slug = 'mend'
            """,
            "is a join; let a single or subflow step do it",
            "is-a-join",
        ),
        (
            """update pgflow.steps set settings = '{"on_failure": "z"}' where step_slug = 's'""",
            "not exist",
            "unknown",
        ),
    ],
)
def test_what_plain_sql_breaks_is_told_at_the_start_and_found_by_the_rules(
    sql: Session, builder: FlowBuilder, change: str, told: str, code: str
) -> None:
    sql("select pgflow.add_step('f', 'mend', '{s}')")
    assert validate(builder.get_flow("f"), {"child": builder.get_flow("child")}) == ()
    sql(change)
    with pytest.raises(psycopg2.errors.ObjectNotInPrerequisiteState, match=told):
        sql("select pgflow.start_flow('f')")
    problems = validate(builder.get_flow("f"))
    assert [problem.code for problem in problems] == [f"failure-step-{code}"]


def test_several_steps_go_on_with_one_and_may_do_so_in_another_way_after_a_timeout(
    sql: Session, builder: FlowBuilder
) -> None:
    sql("select pgflow.add_step('f', 'c', '{a}', on_failure => 'mend', on_timeout => 'wait')")
    sql(
        "select pgflow.add_step('f', 'j', '{a,b,c}', step_type => 'join', members => '{a,b}',"
        " on_failure => 'mend')"
    )
    sql("select pgflow.add_step('f', 'mend', '{s,c,j}'), pgflow.add_step('f', 'wait', '{c}')")
    assert sql.value("select status from pgflow.start_flow('f')") == "queued"
    flow = builder.get_flow("f")
    assert validate(flow, {"child": builder.get_flow("child")}) == ()
    assert flow.steps[3].failure_steps == {"on_failure": "mend", "on_timeout": "wait"}
    assert sql("select * from pgflow.caught_by('f', 'a')") == [("j",)]


def test_a_step_that_never_came_is_told_whatever_names_it(sql: Session) -> None:
    sql("select pgflow.add_step('f', 'mend', '{s}'), pgflow.add_step('f', 't', on_timeout => 'z')")
    told = 'step "t" of flow "f" goes on with "z" when it fails, which does not exist; add it.'
    with pytest.raises(psycopg2.errors.ObjectNotInPrerequisiteState, match=re.escape(told)):
        sql("select pgflow.start_flow('f')")
