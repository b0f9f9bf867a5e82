"""What the run tables say about what subflows exchange, and what their steps did."""

import time
from typing import Any

import pytest

from dagster_pgflow.model.flow import Flow
from tests.execution.harness import gives
from tests.execution.projecting import World, assert_log_is_sound, world
from tests.execution.small_flows import CHILD, HANDLERS, LEAF, MIDDLE, listing

__all__ = ["world"]


def test_what_a_subflow_receives_and_returns_is_what_its_mappings_make_of_it(world: World) -> None:
    world.define(
        Flow("child").step("a", "echo"),
        Flow("top")
        .step("cart", **gives({"total": 5, "lines": ["p", "q"]}))
        .subflow(
            "plain",
            "child",
            depends_on="cart",
            input={"sum": "$nodes.cart.total"},
            output="$nodes.a.sum",
        )
        .subflow("root", "child", input={"who": "$input.name"})
        .subflow(
            "both", "child", depends_on="cart", input={"t": "${$input.name} ${$nodes.cart.total}"}
        )
        .subflow(
            "each",
            "child",
            depends_on="cart",
            over="$nodes.cart.lines",
            input={"what": "$item", "of": "$nodes.cart.total"},
            output={"got": "$nodes.a.what"},
        ),
    )
    dagster_run_id = world.run("top", HANDLERS, {"name": "Ada"})
    world.settle()
    rows = world.sql("select parent_step_slug, map_index, input, output from pgflow.subruns")
    told = {(slug, index): (input, output["a"]) for slug, index, input, output in rows}
    assert told == {
        (slug, index): (received, received)
        for slug, index, received in [
            ("plain", None, {"sum": 5}),
            ("root", None, {"who": "Ada"}),
            ("both", None, {"t": "Ada 5"}),
            ("each", 0, {"what": "p", "of": 5}),
            ("each", 1, {"what": "q", "of": 5}),
        ]
    }
    outputs = world.by_path("output")
    assert outputs["plain"] == 5
    assert outputs["each"] == [{"got": "p"}, {"got": "q"}]
    assert outputs["root"] == {"a": {"who": "Ada"}}
    assert_log_is_sound(world, dagster_run_id)


def test_large_inputs_and_outputs_of_mappings_are_found_where_they_are_stored(world: World) -> None:
    text = "x" * 5000
    world.define(
        Flow("child").step("a", "echo"),
        Flow("top")
        .step("cart", **gives({"text": text}))
        .subflow(
            "s",
            "child",
            depends_on="cart",
            input={"text": "$nodes.cart.text", "who": "$input.name"},
            output={"text": "$nodes.a.text"},
        ),
    )
    dagster_run_id = world.run("top", HANDLERS, {"name": "Ada"})
    world.settle()
    assert world.one("subruns")["input"] == {"text": text, "who": "Ada"}
    assert world.by_path("output")["s"] == {"text": text}
    assert_log_is_sound(world, dagster_run_id)


@pytest.mark.parametrize("routed", [True, False])
def test_an_output_that_does_not_fit_fails_the_step(world: World, routed: bool) -> None:
    flow = Flow("top").subflow("s", "child", on_failure="mend" if routed else None)
    if routed:
        flow = flow.step("mend", "echo", depends_on="s")
    world.define(
        Flow("child", output_schema={"properties": {"a": {"type": "string"}}}).step("a", "echo"),
        flow,
    )
    dagster_run_id = world.run("top", HANDLERS, 5)
    world.settle()
    told = world.by_path("status")
    assert (told["s"], told["s.a"]) == ("failed", "completed")
    assert world.one("subruns")["status"] == "failed"
    assert "does not fit its output schema" in world.one("subruns")["error_message"]
    assert world.one("runs")["status"] == ("completed" if routed else "failed")
    assert_log_is_sound(world, dagster_run_id)


def test_subruns_have_a_label_in_the_log(world: World) -> None:
    world.define(CHILD, listing([1, 2]))
    world.run("top", HANDLERS)
    world.settle()
    told = world.sql.column(
        "select event_data from pgflow.event_log where event_type = 'subrun.completed'"
        " order by correlation_id"
    )
    assert told[1] == {"step_path": "each", "map_index": 1, "label": "Subrun #2 of step each"}


def trace(world: World, subrun_path: str) -> list[dict[str, Any]]:
    return world.sql.records(
        "select told.* from pgflow.subruns as subrun,"
        " pgflow.child_trace(subrun.subrun_id) as told where subrun.subrun_path = %s",
        subrun_path,
    )


def assert_same_trace(told: list[dict[str, Any]], heard: list[dict[str, Any]]) -> None:
    """Checks that SQL says what a handler was told; it rounds a little differently."""
    assert [abs(a["duration_ms"] - b["duration_ms"]) <= 1 for a, b in zip(told, heard, strict=True)]
    there = [{k: v for k, v in entry.items() if v is not None} for entry in told]
    assert [{**entry, "duration_ms": 0} for entry in there] == [
        {**entry, "duration_ms": 0} for entry in heard
    ]


def test_the_trace_of_a_subrun_is_the_one_that_the_failure_step_is_told(world: World) -> None:
    def slow(value: Any) -> str:
        # So that the durations that are compared are not all nothing.
        time.sleep(0.05)
        return "slow"

    world.define(
        Flow("leaf").step("x", "slow").step("never", "echo", if_={"go": True}),
        Flow("middle")
        .step("first", **gives([1, 13]))
        .map("m", "echo", depends_on="first")
        .subflow("inner", "leaf", depends_on="m")
        .step("bad", "fail", depends_on="inner")
        .step("not_run", "echo", depends_on="bad"),
        Flow("top")
        .subflow("mid", "middle", on_failure="mend")
        .step("mend", "echo", depends_on="mid"),
    )
    dagster_run_id = world.run("top", {**HANDLERS, "slow": slow})
    world.settle()
    heard = world.by_path("output")["mend"]["mid"]["child_trace"]
    told = trace(world, "1")
    assert [(entry["step"], entry["status"]) for entry in told] == [
        ("first", "completed"),
        ("m", "completed"),
        ("inner.x", "completed"),
        ("bad", "failed"),
        ("inner.never", "skipped"),
    ]
    assert_same_trace(told, heard)
    assert told[2]["duration_ms"] >= 50
    assert [entry["step"] for entry in trace(world, "1.1")] == ["x", "never"]
    assert_log_is_sound(world, dagster_run_id)


def test_a_step_that_failed_by_its_mapping_is_in_the_trace(world: World) -> None:
    world.define(
        Flow("deep").step("bad", "fail"),
        Flow("leaf")
        .subflow("caught", "deep", on_failure="x")
        .step("x", "echo", depends_on="caught"),
        # No iteration of a loop begins when what it waits for outside has failed.
        Flow("middle")
        .step("again", "echo")
        .subflow("inner", "leaf", output="$nodes.x.ghost")
        .step("more", "echo", depends_on="again")
        .loop("k", back_to="more", condition="false", max_iterations=2, depends_on="more")
        .loop(
            "l",
            back_to="again",
            condition="false",
            max_iterations=2,
            depends_on=["k", "inner"],
        ),
        Flow("top")
        .subflow("mid", "middle", on_failure="mend")
        .step("mend", "echo", depends_on="mid"),
    )
    dagster_run_id = world.run("top", HANDLERS)
    world.settle()
    assert world.by_path("status")["mid.l[1].again"] == "cancelled"
    told = trace(world, "1")
    assert [(entry["step"], entry["status"]) for entry in told] == [
        ("inner.caught.bad", "failed"),
        ("inner.x", "completed"),
        ("inner", "failed"),
    ]
    assert_same_trace(told, world.by_path("output")["mend"]["mid"]["child_trace"])
    assert_log_is_sound(world, dagster_run_id)


def test_an_item_has_a_trace_of_its_own(world: World) -> None:
    flow = listing([1, 13], on_failure="mend").step("mend", "echo", depends_on="each")
    world.define(CHILD, flow)
    world.run("top", HANDLERS)
    world.settle()
    heard = world.by_path("output")["mend"]["each"]["child_trace"]
    assert [(entry["step"], entry["status"]) for entry in trace(world, "1")] == [
        ("twice", "completed"),
        ("note", "completed"),
    ]
    told = [{**entry, "step": f"[1].{entry['step']}"} for entry in trace(world, "2")]
    assert_same_trace(told, heard)
    assert trace(world, "9") == []


def test_runs_and_subruns_are_in_one_view(world: World) -> None:
    world.define(
        LEAF,
        MIDDLE,
        Flow("top").subflow("mid", "middle", on_failure="z").step("z", "echo", depends_on="mid"),
    )
    world.run("top", HANDLERS)
    world.settle()
    run = world.one("runs")["id"]
    inner = world.sql.value("select subrun_id from pgflow.subruns where subrun_path = '1'")
    rows = world.sql(
        "select run_type, run_index, subrun_path, parent_run_id, parent_subrun_id,"
        " parent_step_slug, flow_slug, status, label from pgflow.all_runs"
        " where top_run_id = %s order by run_index nulls first",
        run,
    )
    assert rows == [
        ("top-level", None, None, None, None, None, "top", "completed", None),
        ("subrun", 1, "1", run, None, "mid", "middle", "failed", "Subrun #1 of step mid"),
        ("subrun", 2, "1.1", run, inner, "inner", "leaf", "failed", "Subrun #2 of step inner"),
    ]
