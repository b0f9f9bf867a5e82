"""A single step is replaced by SQL, with all that stands behind it looked at anew."""

from collections.abc import Callable

import psycopg2
import pytest

from dagster_pgflow.store.database import Database
from dagster_pgflow.store.flows import FlowBuilder
from tests.postgres import Session
from tests.store.test_concurrent_builders import Waiting

HOSTILE = """'); drop table pgflow.steps; -- "x" % \\ ' é"""


@pytest.fixture(autouse=True)
def flow(sql: Session) -> None:
    """A flow of three steps in a row, and one beside them."""
    sql("select pgflow.create_flow('f')")
    sql("select pgflow.add_step('f', 'a')")
    sql("select pgflow.add_step('f', 'b', array['a'], params => %s, timeout => 2)", '{"n": null}')
    sql("select pgflow.add_step('f', 'c', array['b', 'a'], handler => 'x')")
    sql("select pgflow.add_step('f', 'd')")


def steps(database: Database) -> dict[str, dict[str, object]]:
    """Returns the steps of the flow in their order, as JSON."""
    return {step.slug: step.to_json() for step in FlowBuilder(database).get_flow("f").steps}


def test_its_parameters_are_those_of_add_step(sql: Session) -> None:
    arguments = sql(
        """
        select pg_get_function_arguments(oid)
        from pg_proc
        where pronamespace = 'pgflow'::regnamespace
          and proname in ('add_step', 'set_step')
          and prorettype = 'pgflow.steps'::regtype
        """
    )
    assert len(arguments) == 2
    assert len(set(arguments)) == 1


def test_a_step_is_replaced_and_all_others_stay_as_they_were(
    database: Database, sql: Session
) -> None:
    before = steps(database)
    sql("select pgflow.set_step('f', 'b', array['a'], step_type => 'map', batch_size => 3)")
    after = steps(database)
    assert list(after) == ["a", "b", "c", "d"]
    assert after.pop("b") == {
        "slug": "b",
        "type": "map",
        "depends_on": ["a"],
        "batch_size": 3,
    }
    del before["b"]
    assert after == before
    assert sql.value("select count(*) from pgflow.flow_versions where flow_slug = 'f'") == 6


def test_a_step_that_is_as_it_was_makes_no_version(sql: Session) -> None:
    versions = "select count(*) from pgflow.flow_versions where flow_slug = 'f'"
    before = sql.value(versions)
    sql("select pgflow.set_step('f', 'c', array['b', 'a'], handler => 'x')")
    assert sql.value(versions) == before


def test_a_step_that_is_not_there_is_added_and_an_unknown_flow_refused(
    database: Database, sql: Session
) -> None:
    sql("select pgflow.set_step('f', 'e', array['d'])")
    assert list(steps(database)) == ["a", "b", "c", "d", "e"]
    for slug in ("g", None):
        with pytest.raises(psycopg2.errors.ForeignKeyViolation, match="does not exist"):
            sql("select pgflow.set_step(%s, 'e')", slug)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("'a', array['c']", 'Step "a" of flow "f" cannot depend on "c", which was added after it'),
        ("'b', array['b']", "cannot depend on itself"),
        ("'b', array['nope']", "does not exist"),
        ("'b', array['a'], max_attempts => -1", "max_attempts"),
        ("'b', array['a'], step_type => 'wibble'", "step_type"),
        ("'a b', '{}'", "is not a valid step slug"),
        ("null, '{}'", "is not a valid step slug"),
    ],
)
def test_what_is_refused_leaves_the_flow_as_it_was(
    database: Database, sql: Session, arguments: str, sentence: str
) -> None:
    before = steps(database)
    with pytest.raises(psycopg2.Error, match=sentence):
        sql(f"select pgflow.set_step('f', {arguments})")
    assert steps(database) == before


def test_a_step_that_others_cannot_stand_behind_is_refused(
    database: Database, sql: Session
) -> None:
    sql("select pgflow.add_step('f', 'm', array['a'], step_type => 'map')")
    sql("select pgflow.add_step('f', 'n', array['m'], step_type => 'map', pipelined => true)")
    before = steps(database)
    with pytest.raises(psycopg2.Error, match="pipelined"):
        sql("select pgflow.set_step('f', 'm', array['a'])")
    assert steps(database) == before


def test_hostile_texts_are_values(database: Database, sql: Session) -> None:
    sql("select pgflow.set_step('f', 'b', array['a'], description => %s)", HOSTILE)
    assert steps(database)["b"]["description"] == HOSTILE
    with pytest.raises(psycopg2.Error, match="is not a valid step slug"):
        sql("select pgflow.set_step('f', %s)", HOSTILE)


def test_who_sets_a_step_waits_for_who_changes_the_flow_and_sees_the_change(
    database: Database, sql: Session, new_session: Callable[[], Session]
) -> None:
    first, second = new_session(), new_session()
    first("begin")
    first("select pgflow.add_step('f', 'e', array['b'])")
    waiting = Waiting(sql, second, "select pgflow.set_step('f', 'b', array['a'], handler => 'y')")
    first("commit")
    waiting.finish()
    assert waiting.error is None
    assert list(steps(database)) == ["a", "b", "c", "d", "e"]
    assert steps(database)["b"]["handler"] == "y"
