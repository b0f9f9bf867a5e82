"""Assets of flows beside those of the deployment: in lineage, and for what is built on them."""

import logging
from typing import Any

import dagster as dg
import pytest

from dagster_pgflow import Flow, FlowBuilder, build_definitions, build_repository
from dagster_pgflow.names import FLOW_INPUT
from dagster_pgflow.translator import PgflowTranslator
from tests.execution.ticks import tick_context

RAW, STAGED, REPORT = (dg.AssetKey(name) for name in (["raw", "orders"], ["staged"], ["report"]))


@dg.asset(key=RAW)
def raw_orders() -> int:
    return 1


@dg.asset(key=REPORT, deps=[STAGED], automation_condition=dg.AutomationCondition.eager())
def report() -> int:
    return 2


REMAKE = dg.define_asset_job("remake", selection=[report])


@dg.asset_sensor(asset_key=STAGED, job=REMAKE)
def on_staged(_context: Any) -> dg.RunRequest:
    return dg.RunRequest()


LOADING = (
    Flow("loading")
    .step("extract", "same", consumes="raw/orders", params={"x": 1})
    .step("clean", "same", depends_on="extract")
    .step("load", "same", depends_on="clean", produces=["staged", "staged/${$input.day}"])
    .step("count", "same", depends_on="load", produces="counts", description="How many there are.")
)
HANDLERS = {"same": lambda value: value}


def located(database_url: str, *assets: Any, **settings: Any) -> dg.RepositoryDefinition:
    sensors = [on_staged] if report in assets else []
    mine = dg.Definitions(assets=list(assets), sensors=sensors)
    given: Any = {"database_url": database_url, "handlers": [HANDLERS], **settings}
    return build_definitions(mine, **given).get_repository_def()


def upstream(repository: dg.RepositoryDefinition, key: str) -> set[str]:
    found = repository.asset_graph.get(dg.AssetKey.from_user_string(key)).parent_keys
    return {one.to_user_string() for one in found}


def warnings_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    found = [record for record in caplog.records if record.levelno == logging.WARNING]
    return [record.getMessage() for record in found if "asset" in record.getMessage()]


def test_flows_stand_in_lineage_between_the_assets_of_the_deployment(
    database_url: str, builder: FlowBuilder
) -> None:
    builder.define_flow(LOADING)
    both = located(database_url, raw_orders, report)
    alone = build_repository(database_url=database_url, handlers=[HANDLERS])
    for repository in (both, alone):
        assert upstream(repository, "staged") == {"raw/orders"}
        assert upstream(repository, "counts") == {"staged"}
        node = repository.asset_graph.get(dg.AssetKey("counts"))
        assert node.description == (
            "How many there are.\n\nStep `count` of flow `loading` produces it."
        )
        assert not node.is_executable
    assert upstream(both, "report") == {"staged"}
    keys = {key.to_user_string() for key in both.asset_graph.get_all_asset_keys()}
    assert keys == {"raw/orders", "staged", "report", "counts"}


def test_what_would_keep_the_location_from_loading_is_left_out_and_told(
    database_url: str, builder: FlowBuilder, caplog: pytest.LogCaptureFixture
) -> None:
    builder.define_flows(
        [
            LOADING,
            Flow("again").step("load", "same", produces="staged"),
            Flow("claims").step("a", "same", produces="raw/orders"),
            Flow("itself").step("a", "same", produces="x", consumes=["x", "y"]),
            Flow("circle").step("a", "same", produces="y", consumes="x"),
            Flow("back").step("a", "same", produces="counts", consumes="report"),
        ]
    )
    repository = located(database_url, raw_orders, report)
    assert repository.asset_graph.get(RAW).is_executable
    # Step "back" makes "counts" of the report, which is made of "staged" and not of "counts".
    assert upstream(repository, "counts") == {"staged", "report"}
    assert upstream(repository, "report") == {"staged"}
    told = " ".join(warnings_of(caplog))
    assert 'Step "a" of flow "claims" produces the asset "raw/orders", which this code' in told
    assert 'The asset "x" is made from "x", which is made from it' in told
    assert 'is made from "x", which is made from it' in told
    staged = repository.asset_graph.get(STAGED).description or ""
    assert "of flow `loading`" in staged
    assert "of flow `again`" in staged


def test_the_translator_says_how_assets_show_and_its_mistakes_cost_one_flow(
    database_url: str, builder: FlowBuilder, caplog: pytest.LogCaptureFixture
) -> None:
    class Ours(PgflowTranslator):
        def get_asset_key(self, flow: Flow, step: Any, key: str) -> dg.AssetKey:  # noqa: ARG002
            if flow.slug == "broken":
                raise ValueError("no idea")
            return dg.AssetKey(["shop", *key.split("/")])

        def get_group_name(self, flow: Flow) -> str | None:
            return "no group!" if flow.slug == "grouped" else "shop"

        def get_owners(self, flow: Flow) -> list[str]:  # noqa: ARG002
            return ["team:shop"]

    builder.define_flows(
        [
            LOADING,
            Flow("broken").step("a", "same", produces="lost"),
            Flow("grouped").step("a", "same", produces="alone"),
        ]
    )
    repository = located(database_url, translator=Ours())
    node = repository.asset_graph.get(dg.AssetKey(["shop", "staged"]))
    assert (node.group_name, node.owners, node.kinds) == ("shop", ["team:shop"], {"single"})
    assert upstream(repository, "shop/staged") == {"shop/raw/orders"}
    told = warnings_of(caplog)
    assert any("Ours.get_asset_key failed with ValueError: no idea" in one for one in told)
    assert any('"shop/alone"' in one and "no group!" in one for one in told)


def test_where_other_definitions_cannot_be_seen_assets_are_none_unless_they_are_asked_for(
    database_url: str, builder: FlowBuilder
) -> None:
    builder.define_flow(LOADING)
    unseen = build_definitions(database_url=database_url, handlers=[HANDLERS])
    theirs = dg.Definitions(assets=[raw_orders, dg.AssetSpec("staged")])
    merged = dg.Definitions.merge(theirs, unseen).get_repository_def()
    assert upstream(merged, "staged") == set()
    asked = build_definitions(database_url=database_url, handlers=[HANDLERS], asset_specs=True)
    assert upstream(asked.get_repository_def(), "staged") == {"raw/orders"}


def test_sensors_and_automation_conditions_see_what_a_flow_materializes(
    database_url: str, builder: FlowBuilder
) -> None:
    builder.define_flow(LOADING)
    repository = located(database_url, raw_orders, report)
    flows = build_repository(database_url=database_url, handlers=[HANDLERS])
    mine = dg.Definitions(assets=[raw_orders, report, *external(repository)])
    of_report = dg.AssetSelection.assets(REPORT)
    with dg.DagsterInstance.ephemeral() as instance:
        dg.materialize([raw_orders], instance=instance)
        before = dg.evaluate_automation_conditions(mine, instance, of_report)
        assert before.total_requested == 0
        assert on_staged.evaluate_tick(tick_context(instance)).run_requests == []
        ran = flows.get_job("loading").execute_in_process(
            run_config={"inputs": {FLOW_INPUT: {"day": "monday"}}}, instance=instance
        )
        assert ran.success
        [said] = instance.fetch_materializations(STAGED, limit=5).records
        assert said.run_id == ran.run_id
        assert instance.fetch_materializations(dg.AssetKey(["staged", "monday"]), limit=5).records
        assert len(on_staged.evaluate_tick(tick_context(instance)).run_requests or []) == 1
        after = dg.evaluate_automation_conditions(mine, instance, of_report, cursor=before.cursor)
        assert after.get_requested_partitions(REPORT) == {None}
        dg.materialize([report], instance=instance, selection=[report])
        # That a flow looked at an asset is no news for what is made from it.
        instance.report_runless_asset_event(dg.AssetObservation(STAGED))
        last = dg.evaluate_automation_conditions(mine, instance, of_report, cursor=after.cursor)
        assert last.total_requested == 0


def external(repository: dg.RepositoryDefinition) -> list[Any]:
    """The assets that the flows of a code location produce."""
    return [one for one in repository.assets_defs_by_key.values() if STAGED in one.keys]
