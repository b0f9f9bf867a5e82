"""A row gives no orders to the deployment by tags."""

import psycopg2
import psycopg2.errors
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dagster_pgflow import Flow, FlowBuilder, build_repository
from dagster_pgflow.compiler.run_tags import is_allowed
from dagster_pgflow.errors import InvalidFlow
from dagster_pgflow.store.catalog import Catalog
from tests.postgres import Session

PRIORITY = Flow("f", tags={"dagster/priority": "9"}).step("a")


def test_a_tag_that_gives_orders_is_refused_whichever_way_it_comes(
    sql: Session, builder: FlowBuilder
) -> None:
    with pytest.raises(InvalidFlow, match='Flow "f" has the tag "dagster/priority", and tags'):
        builder.define_flow(PRIORITY)
    with pytest.raises(psycopg2.errors.CheckViolation, match="allowed_tags="):
        sql("select pgflow.create_flow('f', tags => '{\"dagster-k8s/config\": \"{}\"}')")
    sql('select pgflow.create_flow(\'f\', tags => \'{"team": "x", "pgflow/cost": "7"}\')')
    with pytest.raises(psycopg2.errors.CheckViolation) as caught:
        sql('update pgflow.flows set tags = \'{"ecs/cpu": "4096"}\'')
    assert caught.value.diag.constraint_name == "tags_reach_nothing_else"


@pytest.mark.parametrize(
    ("tags", "said"),
    [
        ("select jsonb_object_agg(n::text, '') from generate_series(1, 51) as n", "51 tags"),
        ("select jsonb_build_object('t', repeat('x', 501))", 'the tag "t", which is too long'),
        ("select jsonb_build_object(repeat('x', 128), '')", "too long"),
        ("select jsonb_build_object('dagster-pgflow/store', 'x')", "ours alone"),
    ],
)
def test_tags_are_few_and_short_and_none_is_ours(sql: Session, tags: str, said: str) -> None:
    sql("update pgflow.store set allowed_tags = '{*}'")
    with pytest.raises(psycopg2.errors.CheckViolation, match=said):
        sql(f"select pgflow.create_flow('f', tags => ({tags}))")


def test_a_code_location_says_which_tags_flows_may_have(
    database_url: str, builder: FlowBuilder, sql: Session
) -> None:
    build_repository(database_url=database_url, allowed_tags=["dagster/priority", "ecs/*"])
    builder.define_flow(PRIORITY)
    sql("select pgflow.create_flow('g', tags => '{\"ecs/cpu\": \"1\"}')")

    repository = build_repository(database_url=database_url, allowed_tags=["dagster/priority"])
    assert repository.get_job("f").tags["dagster/priority"] == "9"
    # It was stored while it was allowed.
    assert "ecs/cpu" not in repository.get_job("g").tags

    build_repository(database_url=database_url)
    with pytest.raises(InvalidFlow, match=r"\[tag-to-be-allowed\]"):
        builder.define_flow(PRIORITY.step("b"))


@settings(
    max_examples=60,
)
@given(
    key=st.text("ab_%/\\*.", max_size=6).filter(lambda key: "/" in key),
    patterns=st.lists(st.text("ab_%/\\*.", max_size=5), max_size=3),
)
def test_sql_and_python_agree_on_what_is_allowed(
    catalog: Catalog, sql: Session, key: str, patterns: list[str]
) -> None:
    catalog.allow_tags(patterns)
    problems = sql("select * from pgflow.tag_problem(jsonb_build_object(%s, ''))", key)
    assert (problems == []) == is_allowed(key, patterns)
