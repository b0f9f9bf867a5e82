"""Graphs: what a job looks like in the Dagster UI, and what is shared."""

import dagster as dg
import pytest

from dagster_pgflow.model.flow import Flow
from tests.calls import calls_of
from tests.execution.harness import job_of
from tests.unit.compiler.locations import emitter


def nodes(graph: dg.GraphDefinition) -> dict[str, str]:
    """Return the definition of each node by the node's name."""
    return {node.name: node.definition.name for node in graph.nodes}


def graph_in(graph: dg.GraphDefinition, *path: str) -> dg.GraphDefinition:
    for name in path:
        definition = graph.node_named(name).definition
        assert isinstance(definition, dg.GraphDefinition)
        graph = definition
    return graph


LEAF = Flow("leaf", description="The smallest.").step("x").step("y", depends_on="x")
ENDS_IN_MAP = Flow("ends_in_map").step("x").map("m", depends_on="x")


def test_a_job_has_the_steps_that_the_user_wrote_and_no_others() -> None:
    flow = (
        Flow("order")
        .step("fetch")
        .map("price", depends_on="fetch")
        .map("weigh", depends_on="fetch")
        .step("total", depends_on=["price", "weigh", "fetch"])
        .subflow("payment", LEAF, depends_on="total")
        .subflow("second", LEAF, depends_on=["total", "payment"])
        .step("done", depends_on=["payment", "second"])
    )
    graph = job_of(flow, [LEAF]).graph
    assert nodes(graph) == {
        "fetch": "pgflow__order__fetch",
        "price": "pgflow__order__price",
        "weigh": "pgflow__order__weigh",
        "total": "pgflow__order__total",
        "payment": "pgflow__leaf",
        "second": "pgflow__leaf",
        "done": "pgflow__order__done",
    }
    assert nodes(graph_in(graph, "payment")) == {"x": "pgflow__leaf__x", "y": "pgflow__leaf__y"}


def test_only_a_root_map_needs_a_helper_in_an_ordinary_flow() -> None:
    graph = job_of(Flow("f").map("m").step("a", depends_on="m")).graph
    assert sorted(nodes(graph)) == ["a", "m", "m__fan_out"]


def test_one_graph_serves_as_job_and_as_subflow() -> None:
    make = emitter([LEAF, Flow("one").subflow("s", LEAF), Flow("two").subflow("t", LEAF)])
    alone = make.job("leaf", {}).graph
    assert graph_in(make.job("one", {}).graph, "s") is alone
    assert graph_in(make.job("two", {}).graph, "t") is alone


def test_a_map_that_a_flow_ends_in_is_collected_in_its_job_as_in_its_subflow() -> None:
    make = emitter([ENDS_IN_MAP, Flow("f").subflow("s", ENDS_IN_MAP).subflow("t", ENDS_IN_MAP)])
    alone, around = make.job("ends_in_map", {}).graph, make.job("f", {}).graph
    assert sorted(nodes(alone)) == ["m", "m__collect", "x"]
    assert graph_in(around, "s") is graph_in(around, "t") is alone


def test_all_flows_of_a_location_fit_in_one_repository() -> None:
    child = Flow("a__b").map("c").step("d")
    flows = [
        LEAF,
        ENDS_IN_MAP,
        child,
        Flow("a").step("b__c").step("b").subflow("child", child).subflow("map", ENDS_IN_MAP),
        Flow("b").subflow("leaf", LEAF).map("m").subflow("a", "a", depends_on=["m", "leaf"]),
        Flow("config").step("config").step("type", depends_on="config"),
        Flow("broken").step("x", depends_on="ghost"),
        Flow("problems").step("problems"),
        Flow("problems_too").subflow("s", "broken"),
        Flow("leaf_").step("x"),
    ]
    make = emitter(flows)
    jobs = [make.job(flow.slug, {}) for flow in flows]

    @dg.repository
    def location() -> list[dg.JobDefinition]:
        return jobs

    assert len(location.get_all_jobs()) == len(flows)


@pytest.mark.parametrize("slug", ["leaf", "ends_in_map"])
def test_a_node_may_be_called_as_the_flow_around_it(slug: str) -> None:
    flow = Flow(slug).step(slug).subflow("s", "other")
    graph = job_of(flow, [Flow("other").step(slug)]).graph
    assert sorted(nodes(graph)) == sorted([slug, "s"])
    assert graph.name not in nodes(graph)


def test_the_description_of_a_flow_is_that_of_its_graph() -> None:
    graph = job_of(Flow("f").subflow("s", LEAF), [LEAF]).graph
    assert graph_in(graph, "s").description == "The smallest."


def test_a_job_costs_more_only_as_its_flow_grows() -> None:
    def chain(length: int) -> Flow:
        steps = [Flow("x").step("s0").steps[0]]
        steps += [
            Flow("x").step(f"s{n}", depends_on=f"s{n - 1}").steps[0] for n in range(1, length)
        ]
        return Flow("f").model_copy(update={"steps": tuple(steps)})

    assert len(nodes(job_of(chain(300)).graph)) == 300
    early = calls_of(lambda: job_of(chain(75)))
    assert calls_of(lambda: job_of(chain(300))) < 6 * early
