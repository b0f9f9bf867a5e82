import pytest

from dagster_pgflow.errors import UnknownFlow
from dagster_pgflow.model.flow import Flow, Schedule
from dagster_pgflow.store.catalog import Catalog, FlowHead, PinnedFlow
from dagster_pgflow.store.flows import FlowBuilder
from tests.postgres import Session


def test_an_empty_catalog_has_watermark_zero_and_nothing(catalog: Catalog) -> None:
    assert catalog.watermark() == 0
    assert catalog.heads(0) == ()
    assert catalog.flows(0) == {}
    with pytest.raises(UnknownFlow):
        catalog.tree("f", 0)


def test_a_store_keeps_its_id(catalog: Catalog, sql: Session) -> None:
    assert catalog.store_id() == catalog.store_id()
    assert str(catalog.store_id()) == sql.value("select store_id::text from pgflow.store")


def test_a_watermark_pins_every_flow_for_ever(catalog: Catalog, builder: FlowBuilder) -> None:
    first = Flow("f").step("a")
    builder.define_flow(first)
    builder.define_flow(Flow("g").step("a"))
    before = catalog.watermark()
    builder.define_flow(Flow("f").step("b"))
    builder.define_flow(Flow("h").step("a"))
    builder.delete_flow("g")
    after = catalog.watermark()

    assert catalog.heads(before) == (FlowHead("f", 1, 1), FlowHead("g", 1, 2))
    assert catalog.tree("f", before) == {"f": PinnedFlow(first, 1, 1)}
    assert list(catalog.flows(before)) == ["f", "g"]

    assert catalog.heads(after) == (FlowHead("f", 2, 3), FlowHead("h", 1, 4))
    assert catalog.tree("f", after) == {"f": PinnedFlow(Flow("f").step("b"), 2, 3)}
    assert list(catalog.flows(after)) == ["f", "h"]
    with pytest.raises(UnknownFlow, match='no flow "g"'):
        catalog.tree("g", after)
    with pytest.raises(UnknownFlow):
        catalog.tree("h", before)


def test_the_watermark_rises_with_every_change(catalog: Catalog, builder: FlowBuilder) -> None:
    builder.create_flow("f")
    first = catalog.watermark()
    builder.add_step("f", "a")
    second = catalog.watermark()
    builder.delete_flow("f")
    assert first < second < catalog.watermark()


def test_a_tree_holds_what_the_flow_contains_and_nothing_else(
    catalog: Catalog, builder: FlowBuilder
) -> None:
    flows = [
        Flow("leaf").step("a"),
        Flow("left").subflow("s", "leaf").subflow("again", "leaf"),
        Flow("right").subflow("s", "leaf"),
        Flow("top").subflow("l", "left").subflow("r", "right").step("x"),
        Flow("other").subflow("s", "top"),
    ]
    builder.define_flows(flows)
    tree = catalog.tree("top", catalog.watermark())
    assert next(iter(tree)) == "top"
    assert {slug: pinned.flow for slug, pinned in tree.items()} == {
        flow.slug: flow for flow in flows if flow.slug != "other"
    }


def test_the_largest_version_of_a_tree_pins_the_same_tree(
    catalog: Catalog, builder: FlowBuilder
) -> None:
    builder.define_flows([Flow("child").step("a"), Flow("top").subflow("s", "child")])
    builder.define_flow(Flow("child").step("b"))
    builder.define_flow(Flow("later").step("a"))
    tree = catalog.tree("top", catalog.watermark())
    newest = max(pinned.version_id for pinned in tree.values())
    builder.define_flow(Flow("child").step("c"))
    assert catalog.tree("top", newest) == tree


def test_a_subflow_that_was_deleted_is_left_out(catalog: Catalog, builder: FlowBuilder) -> None:
    builder.define_flows([Flow("child").step("a"), Flow("top").subflow("s", "child")])
    before = catalog.watermark()
    builder.delete_flow("child", force=True)
    assert list(catalog.tree("top", catalog.watermark())) == ["top"]
    assert list(catalog.tree("top", before)) == ["top", "child"]


def test_schedules_are_pinned_too(catalog: Catalog, builder: FlowBuilder) -> None:
    flow = (
        Flow("f")
        .step("a")
        .schedule("nightly", "0 2 * * *", timezone="Europe/Berlin", input={"full": True})
        .schedule("hourly", "0 * * * *")
    )
    builder.define_flow(flow)
    builder.define_flow(Flow("g").step("a"))
    before = catalog.watermark()
    builder.define_flow(Flow("f").step("a"))

    hourly = Schedule(slug="hourly", cron="0 * * * *")
    nightly = Schedule(
        slug="nightly", cron="0 2 * * *", timezone="Europe/Berlin", input={"full": True}
    )
    assert catalog.flows(before)["f"].flow.schedules == (hourly, nightly)
    assert catalog.flows(catalog.watermark())["f"].flow.schedules == ()


def test_a_schedule_row_written_with_sql_is_in_the_catalog(catalog: Catalog, sql: Session) -> None:
    sql("select pgflow.create_flow('f')")
    sql(
        "insert into pgflow.schedules (flow_slug, schedule_slug, cron, enabled)"
        " values ('f', 'nightly', '0 2 * * *', false)"
    )
    [found] = catalog.flows(catalog.watermark())["f"].flow.schedules
    assert found == Schedule(slug="nightly", cron="0 2 * * *", enabled=False)
