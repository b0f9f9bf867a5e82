from typing import Any

import pytest

from dagster_pgflow.errors import InvalidFlow
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.store.catalog import Catalog
from dagster_pgflow.store.database import Database
from dagster_pgflow.store.flows import FlowBuilder
from dagster_pgflow.store.loading import FlowSource, load
from tests.postgres import Session

LEAF = Flow("leaf").step("x")
LEFT = Flow("left").subflow("in_left", "leaf")
RIGHT = Flow("right").subflow("in_right", "leaf")
TOP = Flow("top").subflow("one", "left").subflow("two", "right").subflow("three", "leaf")
TREE = [LEAF, LEFT, RIGHT, TOP]


def versions(sql: Session) -> list[tuple[str, int, dict[str, Any]]]:
    return sql(
        "select flow_slug, version, subflow_versions from pgflow.flow_versions order by version_id"
    )


def test_a_version_names_the_versions_of_the_flows_that_it_runs(
    builder: FlowBuilder, sql: Session
) -> None:
    assert builder.define_flows([TOP, RIGHT, LEFT, LEAF]) == dict.fromkeys(
        ["top", "right", "left", "leaf"], 1
    )
    assert versions(sql) == [
        ("leaf", 1, {}),
        ("left", 1, {"leaf": 1}),
        ("right", 1, {"leaf": 1}),
        ("top", 1, {"left": 1, "right": 1, "leaf": 1}),
    ]


def test_a_change_of_a_flow_publishes_each_flow_around_it_once(
    builder: FlowBuilder, sql: Session
) -> None:
    builder.define_flows(TREE)
    builder.define_flow(LEAF.step("y"))
    assert versions(sql)[4:] == [
        ("leaf", 2, {}),
        ("left", 2, {"leaf": 2}),
        ("right", 2, {"leaf": 2}),
        ("top", 2, {"left": 2, "right": 2, "leaf": 2}),
    ]


def test_so_does_a_change_by_plain_sql_and_by_the_functions(
    builder: FlowBuilder, sql: Session
) -> None:
    builder.define_flows(TREE)
    sql("update pgflow.flows set description = 'new' where flow_slug = 'right'")
    sql("select pgflow.add_step('left', 'more')")
    assert versions(sql)[4:] == [
        ("right", 2, {"leaf": 1}),
        ("top", 2, {"left": 1, "right": 2, "leaf": 1}),
        ("left", 2, {"leaf": 1}),
        ("top", 3, {"left": 2, "right": 2, "leaf": 1}),
    ]


def test_one_transaction_that_changes_a_flow_and_one_around_it_publishes_each_once(
    builder: FlowBuilder, sql: Session
) -> None:
    builder.define_flows(TREE)
    with sql.transaction():
        sql("select pgflow.add_step('top', 'last')")
        sql("select pgflow.add_step('leaf', 'y')")
        sql("select pgflow.add_step('left', 'more')")
    assert sorted(versions(sql)[4:]) == [
        ("leaf", 2, {}),
        ("left", 2, {"leaf": 2}),
        ("right", 2, {"leaf": 2}),
        ("top", 2, {"left": 2, "right": 2, "leaf": 2}),
    ]
    assert sql("select * from pgflow.unpublished_flows") == []


def test_what_did_not_change_is_not_published(builder: FlowBuilder, sql: Session) -> None:
    builder.define_flows(TREE)
    before = versions(sql)
    builder.define_flows(TREE)
    sql("update pgflow.flows set description = description")
    assert versions(sql) == before


def test_a_flow_that_is_deleted_leaves_the_versions_around_it(
    builder: FlowBuilder, sql: Session
) -> None:
    builder.define_flows(TREE)
    builder.delete_flow("right", force=True)
    assert versions(sql)[4:] == [("right", 2, {}), ("top", 2, {"left": 1, "leaf": 1})]
    builder.define_flow(RIGHT)
    assert versions(sql)[6:] == [
        ("right", 3, {"leaf": 1}),
        ("top", 3, {"left": 1, "right": 3, "leaf": 1}),
    ]


def test_a_run_is_pinned_to_the_versions_that_the_version_of_its_flow_names(
    builder: FlowBuilder, sql: Session, catalog: Catalog
) -> None:
    builder.define_flows(TREE)
    run = sql.value("select version_id from pgflow.start_flow('top')")
    builder.define_flow(LEAF.step("y"))
    for watermark, version in ((run, 1), (catalog.watermark(), 2)):
        tree = catalog.tree("top", watermark)
        assert {slug: pinned.version for slug, pinned in tree.items()} == dict.fromkeys(
            ["top", "left", "right", "leaf"], version
        )
        assert tree["top"].subflow_versions == {"left": version, "right": version, "leaf": version}


def test_a_long_chain_of_flows_is_published_in_a_moment(builder: FlowBuilder, sql: Session) -> None:
    flows = [Flow("f0").step("x")]
    flows += [Flow(f"f{n}").subflow("s", f"f{n - 1}") for n in range(1, 40)]
    builder.define_flows(flows)
    sql("select pgflow.add_step('f0', 'y')")
    assert sql.value("select count(*) from pgflow.flow_versions") == 80


CARD = {"type": "object", "properties": {"card": {"type": "string"}}, "required": ["card"]}
PAYMENT = Flow("payment", input_schema=CARD).step("charge")
ORDER = Flow("order").subflow("pay", "payment", input={"card": "$input.card"})


def test_a_change_that_breaks_a_flow_around_is_refused_and_leaves_nothing(
    builder: FlowBuilder, sql: Session
) -> None:
    builder.define_flows([PAYMENT, ORDER])
    before = versions(sql)
    schema = {"type": "object", "properties": {"token": {}}, "required": ["token"]}
    with pytest.raises(InvalidFlow) as refused:
        builder.define_flow(PAYMENT.model_copy(update={"input_schema": schema}))
    [problem] = refused.value.problems
    assert (problem.code, problem.path) == ("missing-input-field", "order.steps.pay.input")
    assert 'lacks "token", which is required' in problem.message
    assert versions(sql) == before
    assert builder.get_flow("payment") == PAYMENT


def test_both_can_be_changed_together(builder: FlowBuilder) -> None:
    builder.define_flows([PAYMENT, ORDER])
    schema = {"type": "object", "required": ["token"]}
    new = Flow("order").subflow("pay", "payment", input={"token": "$input.token"})
    changed = builder.define_flows([PAYMENT.model_copy(update={"input_schema": schema}), new])
    assert changed == {"payment": 2, "order": 2}


def test_a_flow_around_that_was_broken_before_is_not_held_against_a_change(
    builder: FlowBuilder, sql: Session
) -> None:
    builder.define_flows([PAYMENT, ORDER])
    sql(
        """
        update pgflow.steps set settings = settings || '{"input": {"cart": 5}}'
        where step_slug = 'pay'
        """
    )
    assert builder.define_flow(PAYMENT.step("receipt", depends_on="charge")) == 2


def test_a_file_that_breaks_a_flow_around_is_not_loaded_unless_that_one_comes_along(
    builder: FlowBuilder, database: Database
) -> None:
    builder.define_flows([PAYMENT, ORDER])
    schema = {"type": "object", "required": ["token"]}
    changed = PAYMENT.model_copy(update={"input_schema": schema})
    order = Flow("order").subflow("pay", "payment", input={"token": "$input.token"})
    alone = load(database, [FlowSource("payment.yaml", (changed,))])
    [found] = alone.problems
    assert (found.source, found.problem.path) == ("payment.yaml", "order.steps.pay.input")
    together = [FlowSource("payment.yaml", (changed,)), FlowSource("order.yaml", (order,))]
    assert load(database, together).problems == []
    assert builder.get_flow("order") == order
