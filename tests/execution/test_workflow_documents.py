"""Workflow documents in real Dagster: each construct, end to end."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from dagster_pgflow import read_workflow
from tests.execution.harness import Result, run
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
def test_a_branch_takes_the_ways_of_its_first_rule_that_holds(
    score: int, taken: set[str], arrived: str
) -> None:
    result = run_document("branch", {"score": score})
    assert result.outputs["answer"] == {"answer": [arrived]}
    assert set(result.skips) == {"grant", "thank", "examine", "refuse"} - taken


@pytest.mark.parametrize(
    ("talent", "way", "passes"), [(1.0, "print", 1), (0.3, "print", 3), (0.1, "discard", 4)]
)
def test_a_loop_repeats_its_body_until_it_is_done_or_may_no_more(
    talent: float, way: str, passes: int
) -> None:
    result = run_document("loop", {"talent": talent})
    assert result.outputs[way] == passes
    assert {slug: result.skips.get(slug) for slug in ("print", "discard") if slug != way} == (
        {"discard": "not_taken"} if way == "print" else {"print": "not_taken"}
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
