"""Loops whose iterations are Dagster runs of their own: everything else is as in any loop."""

from typing import Any

import dagster as dg
import pytest

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.steps.loop import MOST_ITERATIONS_IN_A_JOB
from dagster_pgflow.names import (
    TAG_LABEL,
    TAG_LOOP,
    TAG_PARENT_RUN,
    TAG_PARENT_STEP,
    TAG_TOP_RUN,
)
from tests.execution.projecting import Handlers, World, assert_log_is_sound, world

__all__ = ["world"]

FEW, MANY = 3, MOST_ITERATIONS_IN_A_JOB + 1


def write(given: Any, ctx: Any) -> list[int]:
    if ctx.flow_input.get("fails_in") == ctx.iteration:
        raise ValueError("no ink")
    before = given.get("good") or [0]
    return [before[0] + 1, given["plan"]["words"]]


HANDLERS: Handlers = {"echo": lambda value: value, "write": write}


def essay(max_iterations: int) -> Flow:
    return (
        Flow("essay", max_attempts=1)
        .step("plan", "echo")
        .step("draft", "write", depends_on="plan")
        .map("check", "echo", depends_on="draft")
        .branch("is", rules=[("output[1] > 100", "long")], default_path="short", depends_on="check")
        .step("long", "echo", depends_on=["is", "plan"])
        .step("short", "echo", depends_on="is")
        .subflow("ask", "reader", depends_on=["long", "short"])
        .join("all", depends_on=["ask", "draft"])
        .step("result", "first", depends_on="all")
        .loop(
            "good",
            back_to="draft",
            condition="output[0] < flow_input.enough",
            max_iterations=max_iterations,
            break_path="publish",
            timeout_path="give_up",
            depends_on="result",
        )
        .step("publish", "echo", depends_on="good")
        .step("give_up", "echo", depends_on="good")
    )


ROWS = {
    "step_states": "step_path, step_type, status, skip_reason, initial_tasks, remaining_tasks,"
    " remaining_deps, output",
    "step_tasks": "step_path, task_index, status, attempts_count, output",
    "node_executions": "step_path, task_index, attempt, status, iteration",
    "loop_state": "loop_path, current_iteration, status, ended_by",
    "applied_keys": "op_key, delta",
    "run_statistics": "tokens_emitted, tokens_consumed, nodes_executed, nodes_failed",
    "runs": "status, output, remaining_steps",
}


def rows_left(world: World, max_iterations: int, flow_input: Any) -> dict[str, list[Any]]:
    """Runs the essay; returns what its rows say."""
    first = {"first": lambda given: given["all"]["draft"]}
    world.define(Flow("reader").step("read", "echo"), essay(max_iterations))
    dagster_run_id = world.run("essay", {**HANDLERS, **first}, flow_input)
    world.settle()
    assert_log_is_sound(world, dagster_run_id)
    run_id = world.tables.run_id_of(dagster_run_id)
    found = {
        table: world.sql(f"select {columns} from pgflow.{table} where run_id = %s", str(run_id))
        for table, columns in ROWS.items()
    }
    found["subruns"] = world.sql(
        "select subrun_path, parent_step_slug, subrun.status, subrun.input, subrun.output"
        " from pgflow.subruns as subrun join pgflow.runs as run on run.id = parent_run_id"
        " where run.run_id = %s",
        str(run_id),
    )
    return {table: sorted(rows, key=repr) for table, rows in found.items()}


@pytest.mark.parametrize(
    "flow_input",
    [
        {"words": 20, "enough": 2},
        {"words": 200, "enough": 1},
        {"words": 20, "enough": 3, "fails_in": 2},
    ],
)
def test_the_rows_are_those_of_a_loop_of_few_passes(world: World, flow_input: Any) -> None:
    few = rows_left(world, FEW, flow_input)
    assert any("good[1].ask.read" in row for row in few["step_states"])
    assert rows_left(world, MANY, flow_input) == few


def iterations(world: World) -> list[dg.DagsterRun]:
    """Returns the runs that are iterations, in their order."""
    return [run for run in world.instance.get_runs() if TAG_LOOP in run.tags][::-1]


def test_each_pass_is_a_run_that_is_linked_with_the_one_around(world: World) -> None:
    flow = Flow("wait").step("look", "echo")
    flow = flow.loop(
        "ready", back_to="look", condition="ctx.iteration < 3", max_iterations=MANY,
        depends_on="look",
    )  # fmt: skip
    world.define(flow)
    dagster_run_id = str(world.run("wait", HANDLERS, {}))
    world.settle()
    runs = iterations(world)
    assert [run.tags[TAG_LABEL] for run in runs] == [
        f"Iteration {number} of loop ready" for number in (1, 2, 3)
    ]
    assert [run.tags[TAG_PARENT_STEP] for run in runs] == ["ready[1]", "ready[2]", "ready[3]"]
    for run in runs:
        assert run.status is dg.DagsterRunStatus.SUCCESS
        assert run.job_name == "wait__ready__iteration"
        assert run.tags[TAG_PARENT_RUN] == run.tags[TAG_TOP_RUN] == dagster_run_id
    assert world.sql(
        "select event_data from pgflow.event_log where event_type = 'loop.iteration_started'"
        " order by sequence_num"
    ) == [
        ({"iteration": number, "dagster_run_id": run.run_id},) for number, run in enumerate(runs, 1)
    ]
    events = world.instance.all_logs(dagster_run_id)
    told = [entry.dagster_event.message or "" for entry in events if entry.dagster_event]
    assert [message for message in told if "runs as run" in message] == [
        f"Iteration {number} of loop ready runs as run {run.run_id}."
        for number, run in enumerate(runs, 1)
    ]
    assert len(world.job("wait", HANDLERS).nodes) == 1
    kept = world.sql.column("select distinct dagster_run_id::text from pgflow.step_outputs")
    assert set(kept) == {dagster_run_id, *(run.run_id for run in runs)}
    world.sql("select pgflow.delete_flow('wait', with_runs => true)")
    assert world.sql.column("select dagster_run_id from pgflow.step_outputs") == []


def test_a_failure_in_an_iteration_is_caught_by_the_subflow_around(world: World) -> None:
    outer = (
        Flow("outer")
        .subflow("write", "essay", on_failure="apologise")
        .step("apologise", "echo", depends_on="write")
    )
    first = {"first": lambda given: given["all"]["draft"]}
    world.define(Flow("reader").step("read", "echo"), essay(MANY), outer)
    given = {"words": 20, "enough": 3, "fails_in": 2}
    dagster_run_id = world.run("outer", {**HANDLERS, **first}, given)
    world.settle()
    status = world.by_path("status")
    assert (status["write"], status["write.good"]) == ("failed", "failed")
    assert (status["write.good[1].good"], status["write.good[2].draft"]) == ("completed", "failed")
    assert (status["write.good[2].check"], status["write.publish"]) == ("cancelled", "cancelled")
    assert status["apologise"] == world.one("runs")["status"] == "completed"
    told = world.by_path("output")["apologise"]["write"]
    assert "no ink" in told["error"]
    failed = [entry["step"] for entry in told["child_trace"] if entry["status"] == "failed"]
    assert failed == ["good[2].draft"]
    assert_log_is_sound(world, dagster_run_id)


def test_a_loop_runs_for_each_item_of_a_list(world: World) -> None:
    each = (
        Flow("each")
        .step("count", "count")
        .map("twice", "echo", depends_on="count")
        .loop(
            "l", back_to="count", condition="size(output) < 3", max_iterations=4, depends_on="twice"
        )
        .step("end", "echo", depends_on="l")
    )
    world.define(each, Flow("f").subflow("all", "each", over="$input.rows"))

    def count(given: Any, ctx: Any) -> list[Any]:
        before = given.get("l", []) if isinstance(given, dict) else []
        return [*before, ctx.flow_input]

    dagster_run_id = world.run("f", {**HANDLERS, "count": count}, {"rows": ["a", "b"]})
    world.settle()
    assert world.one("runs")["output"] == {
        "all": [{"end": {"l": ["a"] * 3}}, {"end": {"l": ["b"] * 3}}]
    }
    status = world.by_path("status")
    assert set(status.values()) == {"completed"}
    assert {path for path in status if path.endswith("twice")} == {
        f"all[{item}].l[{number}].twice" for item in (0, 1) for number in (1, 2, 3)
    }
    assert world.tasks("all[1].l[3].twice", "output") == ["b"] * 3
    assert_log_is_sound(world, dagster_run_id)


def test_a_loop_of_many_iterations_lies_in_one_of_few_and_the_other_way_round(world: World) -> None:
    def flow(slug: str, outer: int, inner: int) -> Flow:
        return (
            Flow(slug)
            .step("given", "echo")
            .step("a", "echo", depends_on="given")
            .step("b", "count", depends_on=["a", "given"])
            .loop("in", back_to="b", condition="output < 2", max_iterations=inner, depends_on="b")
            .loop("out", back_to="a", condition="output < 3", max_iterations=outer, depends_on="in")
        )

    def count(given: Any, ctx: Any) -> int:
        so_far: int = given["a"].get("out", 0)
        return so_far + int(ctx.iteration)

    found = []
    for slug, outer, inner in (("x", 9, 9), ("y", MANY, 9), ("z", 9, MANY), ("w", MANY, MANY)):
        world.define(flow(slug, outer, inner))
        world.run(slug, {**HANDLERS, "count": count}, {})
        world.settle()
        rows = "step_path, status, output::text from pgflow.step_states as s"
        found.append(world.sql(f"select {rows} where flow_slug = '{slug}' order by step_path"))
    assert ("out", "completed", "3") in found[0]
    assert all(rows == found[0] for rows in found)


def test_the_trace_of_a_failed_subflow_tells_of_a_loop_that_did_not_run(world: World) -> None:
    def fail(_: Any) -> None:
        raise ValueError("no ink")

    traces = []
    for slug, most in (("few", FEW), ("many", MANY)):
        child = Flow(f"{slug}_child").step("a", "echo")
        child = child.loop("l", back_to="a", condition="true", max_iterations=most, depends_on="a")
        outer = (
            Flow(f"{slug}_outer", max_attempts=1)
            .subflow("idle", child.slug, run_if="false")
            .step("break", "fail")
        )
        top = Flow(slug).subflow("o", outer.slug, on_failure="repair")
        world.define(child, outer, top.step("repair", "echo", depends_on="o"))
        world.run(slug, {**HANDLERS, "fail": fail}, {})
        world.settle()
        told = world.one("step_states", f"flow_slug = '{slug}' and step_slug = 'repair'")
        trace = told["output"]["o"]["child_trace"]
        traces.append(sorted((entry["step"], entry["status"]) for entry in trace))
    few, many = traces
    assert ("idle.l[1].a", "skipped") in few
    assert many == few


def test_what_a_skipped_loop_has_done_keeps_its_tasks(world: World) -> None:
    """In its first pass the run takes another way than to the last step of the loop."""
    rows = []
    for max_iterations in FEW, MANY:
        world.define(
            Flow("counted", max_attempts=1)
            .step("begin", "echo")
            .map("each", "echo", depends_on="begin")
            .branch("way", rules=[("false", "on")], default_path=[], depends_on="each")
            .step("on", "echo", depends_on="way")
            .loop(
                "again",
                back_to="begin",
                condition="false",
                max_iterations=max_iterations,
                depends_on="on",
            )
        )
        run_id = world.run("counted", HANDLERS, [7, 8])
        world.settle()
        assert_log_is_sound(world, run_id)
        rows.append(
            world.sql(
                "select step_path, status, skip_reason, initial_tasks, output"
                " from pgflow.step_states where run_id = %s order by step_path",
                str(run_id),
            )
        )
    few, many = rows
    assert many == few
    assert ("again[1].each", "completed", None, 2, [7, 8]) in many
