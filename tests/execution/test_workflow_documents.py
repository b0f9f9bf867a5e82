"""Workflow documents in real Dagster: each construct, end to end."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from dagster_pgflow import read_workflow
from tests.execution.harness import Result, run
from tests.web_service import Answer, web_service
from tests.workflow_documents import document

Handlers = Mapping[str, Callable[..., Any]]


def label(priced: Any, ctx: Any) -> str:
    return f"{priced['price']} from {ctx.params['sender']}"


def weigh(order: Any, ctx: Any) -> str:
    return f"{order['kilos']} {ctx.params['unit']}"


def write(received: Any) -> int:
    """Writes a headline a little better each time; a number stands for it."""
    before: Mapping[str, Any] = received.get("again", {"draft": 0})
    return int(before["draft"]) + 1


def judge(received: Any, ctx: Any) -> dict[str, Any]:
    draft = received["write"]
    return {"draft": draft, "score": draft * ctx.flow_input["talent"]}


def name_of(step: str) -> Callable[..., Any]:
    return lambda received: {step: sorted(received)}


HANDLERS: dict[str, Handlers] = {
    "sequence": {
        "parcels.weigh": weigh,
        "parcels.price": lambda received: f"5 EUR for {received['weigh']}",
        "parcels.label": label,
    },
    "parallel": {
        "routes.request": lambda order: order["to"],
        "routes.by_road": lambda received: f"road to {received['both']}",
        "routes.by_rail": lambda received: f"rail to {received['both']}",
        "routes.choose": lambda received: received,
    },
    "fan_in": {
        "stock.count": lambda _request, ctx: len(ctx.step_slug),
        "stock.report": lambda received: sum(received["all_counted"].values()),
    },
    "branch": {
        "loans.rate": lambda request: {"score": request["score"]},
        **{
            f"loans.{step}": name_of(step)
            for step in ("grant", "thank", "examine", "refuse", "answer")
        },
    },
    "loop": {
        "headlines.topic": lambda request: request,
        "headlines.write": write,
        "headlines.judge": judge,
        "headlines.print": lambda received: received["again"]["draft"],
        "headlines.discard": lambda received: received["again"]["draft"],
    },
    "legacy": {
        "measure": lambda reading, ctx: {**reading, "config": ctx.params["config_ref"]},
        "cool": lambda received: {
            "celsius": (received.get("cool") or received["measure"])["celsius"] - 3
        },
        "store": lambda received: received,
        "alarm": lambda received: received,
    },
}


def run_document(name: str, input: Any) -> Result:
    result = run(read_workflow(document(name), slug=name), input, handlers=HANDLERS[name])
    assert result.success, result.errors
    return result


def test_a_sequence() -> None:
    result = run_document("sequence", {"kilos": 2, "depot": "North"})
    assert result.outputs["label"].startswith("5 EUR for 2 kg from Depot ")


def test_parallel_arms_receive_what_the_parallel_node_received() -> None:
    result = run_document("parallel", {"to": "Kiel"})
    assert result.outputs["both"] == "Kiel"
    assert result.outputs["choose"] == {"by_road": "road to Kiel", "by_rail": "rail to Kiel"}


def test_three_arms_meet_in_a_join() -> None:
    result = run_document("fan_in", {})
    assert result.outputs["all_counted"] == {"north": 5, "south": 5, "harbour": 7}
    assert result.outputs["report"] == 17


@pytest.mark.parametrize(
    ("score", "taken", "arrived"),
    [(90, {"grant", "thank"}, "grant"), (50, {"examine"}, "examine"), (5, {"refuse"}, "refuse")],
)
def test_a_branch_takes_the_routes_of_its_first_rule_that_holds(
    score: int, taken: set[str], arrived: str
) -> None:
    result = run_document("branch", {"score": score})
    assert result.outputs["answer"] == {"answer": [arrived]}
    assert set(result.skips) == {"grant", "thank", "examine", "refuse"} - taken


@pytest.mark.parametrize(
    ("talent", "route", "iterations"), [(1.0, "print", 1), (0.3, "print", 3), (0.1, "discard", 4)]
)
def test_a_loop_repeats_its_body_until_it_is_done_or_may_no_more(
    talent: float, route: str, iterations: int
) -> None:
    result = run_document("loop", {"talent": talent})
    assert result.outputs[route] == iterations
    assert {slug: result.skips.get(slug) for slug in ("print", "discard") if slug != route} == (
        {"discard": "not_taken"} if route == "print" else {"print": "not_taken"}
    )


@pytest.mark.parametrize(
    ("celsius", "stored"),
    [
        (20, {"measure": {"celsius": 20, "config": "cas://4f1c"}}),
        (31, {"cool": {"celsius": 25}}),
    ],
)
def test_the_legacy_form(celsius: int, stored: dict[str, Any]) -> None:
    result = run_document("legacy", {"celsius": celsius})
    got = result.outputs["store"]
    assert {key: got[key] for key in stored} == stored
    assert "alarm" not in result.outputs


def nightly(url: str) -> dict[str, Any]:
    return {
        "metadata": {
            "name": "nightly",
            "schedules": [{"slug": "at_two", "cron": "0 2 * * *", "input": {"least": 10}}],
            "input_schema": {"type": "object", "required": ["least"]},
            "retry": {"max_attempts": 1},
        },
        "nodes": [
            {
                "id": "fetch",
                "type": "http",
                "config": {"url": url, "allow_private": True},
                "on_failure": "complain",
            },
            {"id": "rows", "type": "transform", "config": {"expression": "output.body"}},
            {"id": "store", "type": "map", "config": {"handler": "store", "collect_errors": True}},
            {"id": "each", "type": "subflow", "config": {"flow": "one", "over": "rows"}},
            {
                "id": "tell",
                "type": "function",
                "config": {"handler": "tell"},
                "run_if": "size(deps.store) > flow_input.least",
            },
            {"id": "complain", "type": "function", "config": {"handler": "tell"}},
        ],
        "edges": [
            {"from": "fetch", "to": "rows"},
            {"from": "rows", "to": "store"},
            {"from": "rows", "to": "each"},
            {"from": "store", "to": "tell"},
            {"from": "each", "to": "tell"},
        ],
    }


def run_night(least: int, answer: Answer) -> Result:
    one = read_workflow(
        {
            "metadata": {"name": "one"},
            "nodes": [
                {"id": "twice", "type": "transform", "config": {"expression": "input * 2"}},
            ],
        }
    )
    with web_service() as service:
        flow = read_workflow(nightly(service.on("/rows", answer)))
        handlers: Handlers = {"store": lambda row: row + 1, "tell": lambda received: received}
        result = run(flow, {"least": least}, others=[one], handlers=handlers)
    assert result.success, result.errors
    return result


def test_a_nightly_import_goes_through_its_rows() -> None:
    result = run_night(1, Answer(200, [4, 5]))
    assert result.outputs["tell"] == {"store": [5, 6], "each": [{"twice": 8}, {"twice": 10}]}
    assert result.skips == {"complain": "not_taken"}


def test_conditions_of_its_nodes_hold() -> None:
    assert run_night(2, Answer(200, [4, 5])).skips["tell"] == "condition_unmet"


def test_its_failure_leads_to_a_node_without_an_edge_to_it() -> None:
    result = run_night(1, Answer(404))
    assert "404" in result.outputs["complain"]["fetch"]["error"]
    assert {"rows", "store", "tell"} <= set(result.skips)
