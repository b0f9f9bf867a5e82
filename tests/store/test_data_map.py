"""Merged and kept inputs in SQL: the same as in Python, and the order of what is merged."""

import psycopg2
import pytest

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.store.database import Database
from dagster_pgflow.store.flows import FlowBuilder
from tests.postgres import Session


def test_a_flow_of_sql_is_that_of_python(database: Database, sql: Session) -> None:
    sql("select pgflow.create_flow('f', merge_output => true)")
    sql("select pgflow.add_step('f', 'a', keep_input => true)")
    sql("select pgflow.add_step('f', 'b', merge_input => true)")
    sql(
        "select pgflow.add_step('f', 'c', array['b', 'a'], step_type => 'join',"
        " merge_input => true)"
    )
    wanted = (
        Flow("f", merge_output=True)
        .step("a", keep_input=True)
        .step("b", merge_input=True)
        .join("c", depends_on=["b", "a"], merge_input=True)
    )
    builder = FlowBuilder(database)
    assert builder.get_flow("f") == wanted
    version = sql.value("select max(version) from pgflow.flow_versions where flow_slug = 'f'")
    assert builder.define_flow(wanted) == version


def test_what_is_as_by_default_is_no_part_of_a_definition(sql: Session) -> None:
    sql("select pgflow.create_flow('f', merge_output => false)")
    sql("select pgflow.add_step('f', 'a', merge_input => false, keep_input => null)")
    assert sql.value("select pgflow.flow_definition('f')") == {
        "slug": "f",
        "steps": [{"slug": "a", "type": "single"}],
    }


def test_the_order_of_dependencies_counts_where_they_are_merged(sql: Session) -> None:
    sql("select pgflow.create_flow('f')")
    for slug in ("a", "b"):
        sql("select pgflow.add_step('f', %s)", slug)
    sql("select pgflow.add_step('f', 'by_name', array['a', 'b'])")
    sql("select pgflow.add_step('f', 'by_name', array['b', 'a'])")
    sql("select pgflow.add_step('f', 'merged', array['a', 'b'], merge_input => true)")
    sql("select pgflow.add_step('f', 'merged', array['a', 'b'], merge_input => true)")
    with pytest.raises(psycopg2.errors.UniqueViolation, match="differs in: deps_slugs"):
        sql("select pgflow.add_step('f', 'merged', array['b', 'a'], merge_input => true)")


@pytest.mark.parametrize("field", ["merge_input", "keep_input"])
def test_a_flow_for_each_item_neither_merges_nor_keeps(sql: Session, field: str) -> None:
    sql("select pgflow.create_flow('child')")
    sql("select pgflow.create_flow('f')")
    with pytest.raises(psycopg2.errors.CheckViolation) as caught:
        sql(
            "select pgflow.add_step('f', 's', step_type => 'subflow', subflow_slug => 'child',"
            f" over => '$input', {field} => true)"
        )
    assert caught.value.diag.constraint_name == "data_map_is_of_no_list"
    assert caught.value.diag.message_detail == "data-map-over-a-list"
    assert f"leave {field} out" in str(caught.value.diag.message_primary)
