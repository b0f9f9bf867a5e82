"""Ops: what the Dagster UI tells about a step."""

from typing import Any

import dagster as dg

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.names import PGFLOW_KEY, TAG_FLOW, TAG_HELPER, TAG_STEP, TAG_TERMINAL
from tests.execution.harness import Handlers, job_of


def price(value: Any) -> Any:
    """Work out the price.

    With all taxes.
    """
    return value


def op_of(
    flow: Flow, node: str, *others: Flow, handlers: Handlers | None = None
) -> dg.OpDefinition:
    definition = job_of(flow, others, handlers).graph.node_named(node).definition
    assert isinstance(definition, dg.OpDefinition)
    return definition


def test_an_op_tells_what_the_step_does_with_which_handler_and_how_patiently() -> None:
    flow = Flow("f", max_attempts=2).step("a", "price", description="Ask the shop.", timeout=9)
    assert op_of(flow, "a", handlers={"price": price}).description == (
        "Ask the shop.\n\nWork out the price. (handler price)\n\n"
        "Up to 2 attempts, 5 s base delay, 9 s timeout."
    )


def test_an_op_tells_its_conditions() -> None:
    flow = Flow("f").step(
        "a", "price", if_={"n": 1}, if_not={"m": 2}, when_unmet="fail", when_exhausted="skip"
    )
    told = op_of(flow, "a", handlers={"price": price}).description or ""
    assert 'Runs if its input contains `{"n": 1}`; otherwise: fail.' in told
    assert 'Runs unless its input contains `{"m": 2}`, then: fail.' in told
    assert "When the last attempt fails: skip." in told


def test_a_step_without_a_handler_still_shows_and_says_so() -> None:
    flow = Flow("order").step("a").step("b", "elsewhere")
    assert (op_of(flow, "a").description or "").startswith(
        'No handler: this code location registers no handler "order.a" or "a";'
        " the step will fail until it does."
    )
    assert 'registers no handler "elsewhere"' in (op_of(flow, "b").description or "")


def test_no_markup_stands_at_the_beginning_that_a_node_of_the_graph_shows() -> None:
    flow = (
        Flow("order")
        .step("unknown")
        .step("named", "elsewhere")
        .step("known", "price")
        .map("all", "elsewhere", depends_on="known")
        .subflow("apart", "part", mode="run")
        .branch("decide", rules=[{"when": "true", "then": ["paid"], "label": "clear"}])
        .wait("paid", signal="paid", depends_on="decide")
        .approval("ask", prompt="Well?")
        .sleep("rest", seconds=1)
        .join("both", depends_on=["ask", "rest"], wait="any")
    )
    part = Flow("part").step("one")
    begins = {
        step.slug: (
            op_of(flow, step.slug, part, handlers={"price": price}).description or ""
        ).partition("\n")[0]
        for step in flow.steps
    }
    assert begins["paid"] == 'Waits for the signal "paid".'
    assert begins["apart"] == 'Flow "part" runs here as a run of its own.'
    assert {slug: told for slug, told in begins.items() if not told or set("`*") & set(told)} == {}


def test_what_is_known_of_a_handler_comes_before_its_name() -> None:
    def silent(value: Any) -> Any:
        return value

    flow = Flow("f").step("a", "price").step("b", "silent")
    handlers: Handlers = {"price": price, "silent": silent}
    told = {name: op_of(flow, name, handlers=handlers).description or "" for name in "ab"}
    assert told["a"].startswith("Work out the price. (handler price)")
    assert told["b"].startswith("Handler silent.")


def test_tags_name_the_flow_and_the_step_and_a_badge_shows_its_kind() -> None:
    flow = Flow("f").step("config", "price").map("m", "price", depends_on="config")
    flow = flow.step("get", "pgflow.http", params={"url": "https://example.com"})
    assert op_of(flow, "config_").tags == {
        TAG_FLOW: "f", TAG_STEP: "config",
        "dagster/kind/single": "", "dagster/compute_kind": "single",
    }  # fmt: skip
    badges = [op_of(flow, node).tags["dagster/compute_kind"] for node in ("m", "m__collect", "get")]
    assert badges == ["map", "helper", "http"]


def test_a_step_that_nothing_depends_on_is_tagged_as_terminal() -> None:
    flow = Flow("f").step("a", "price").map("m", "price", depends_on="a")
    flow = flow.step("b", "price", depends_on="a").step("c", "price", depends_on="m")
    terminal = {name for name in ("a", "m", "b", "c") if TAG_TERMINAL in op_of(flow, name).tags}
    assert terminal == {"b", "c"}


def test_a_helper_says_what_it_helps() -> None:
    child = Flow("child").map("n")
    flow = Flow("f").map("m").step("a").subflow("s", child, depends_on=["m", "a"])
    fan_out, gather = op_of(flow, "m__fan_out", child), op_of(flow, "s__input", child)
    inside = job_of(flow, [child]).graph.node_named("s").definition
    assert isinstance(inside, dg.GraphDefinition)
    collect = inside.node_named("n__collect").definition
    assert fan_out.description == 'Sends the elements of the list to map step "m".'
    assert gather.description == 'Puts together what subflow "s" receives.'
    assert collect.description == 'Collects the outputs of map step "n".'
    assert [op.tags[TAG_HELPER] for op in (fan_out, gather, collect)] == [
        "fan_out", "gather", "collect",
    ]  # fmt: skip
    assert fan_out.tags["dagster/kind/helper"] == ""


def test_a_dynamic_output_tells_which_map_it_feeds() -> None:
    flow = Flow("f").step("a").map("m", depends_on="a").map("n", depends_on="a")
    outputs = {out.name: out for out in op_of(flow, "a").output_defs}
    assert sorted(outputs) == ["for_m", "for_n", "result"]
    assert outputs["for_m"].is_dynamic
    assert not outputs["result"].is_dynamic
    assert outputs["for_m"].description == "The elements of map step `m`, batch by batch."


def test_handlers_may_use_every_resource_of_the_location() -> None:
    bucket = dg.ResourceDefinition.hardcoded_resource(1)
    job = job_of(Flow("f").step("a"), resources={"bucket": bucket})
    definition = job.graph.node_named("a").definition
    assert isinstance(definition, dg.OpDefinition)
    assert {"bucket", PGFLOW_KEY} <= set(definition.required_resource_keys)
