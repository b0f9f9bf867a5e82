"""Branches, joins and loops in the run tables: rows, and events that tell how the run went on."""

from typing import Any

import pytest

from dagster_pgflow.model.flow import Flow
from tests.execution.projecting import Handlers, World, assert_log_is_sound, world

__all__ = ["world"]

CLAIM = (
    Flow("claim")
    .step("assess", "echo")
    .branch(
        "route",
        rules=[
            ("output.missing.key", "pay"),
            {"when": "output.score > 40", "then": "review", "label": "in doubt"},
        ],
        default_path="refuse",
        depends_on="assess",
    )
    .step("pay", "echo", depends_on="route")
    .step("review", "echo", depends_on="route")
    .step("refuse", "echo", depends_on="route")
    .join("close", wait="any", depends_on=["pay", "review", "refuse"])
)
ESSAY = (
    Flow("essay", max_attempts=1)
    .step("plan", "echo")
    .step("draft", "write", depends_on="plan")
    .map("check", "echo", depends_on="draft")
    .subflow("ask", "question", depends_on="check")
    .loop(
        "good",
        back_to="draft",
        condition="ctx.iteration < flow_input.iterations",
        max_iterations=3,
        break_path="publish",
        timeout_path="give_up",
        depends_on="ask",
    )
    .step("publish", "echo", depends_on="good")
    .step("give_up", "echo", depends_on="good")
)
QUESTION = Flow("question").step("reader", "echo")


def write(_: Any, ctx: Any) -> list[int]:
    if ctx.flow_input.get("fails_in") == ctx.iteration:
        raise ValueError("no ink")
    return [ctx.iteration, 7]


HANDLERS: Handlers = {"echo": lambda value: value, "write": write}
LOOP_EVENTS = (
    "select event_type, event_data from pgflow.event_log"
    " where event_type like 'loop.%' order by sequence_num"
)


def test_the_log_tells_which_ways_a_branch_takes_and_why(world: World) -> None:
    world.define(CLAIM)
    dagster_run_id = world.run("claim", HANDLERS, {"score": 50})
    world.settle()
    assert world.one("runs")["status"] == "completed"
    skipped = "skipped"
    assert world.by_path("status") == {
        **dict.fromkeys(["assess", "route", "review", "close"], "completed"),
        **dict.fromkeys(["pay", "refuse"], skipped),
    }
    assert world.by_path("skip_reason")["pay"] == "not_taken"
    assert world.by_path("step_type")["route"] == "branch"
    [told] = world.sql.column(
        "select event_data from pgflow.event_log where event_type = 'branch.taken'"
    )
    assert (told["taken"], told["rule"], told["label"]) == (["review"], 1, "in doubt")
    labels = "select to_node, label from pgflow.run_path(%s) where label is not null"
    run_id = world.one("runs")["run_id"]
    assert world.sql(labels, str(run_id)) == [("review", "in doubt")]
    [warning] = told["warnings"]
    assert "rules[0].when `output.missing.key` counts as false" in warning
    assert world.one("runs")["output"] == {"close": {"review": {"route": {"score": 50}}}}
    assert world.tasks("route", "status") == ["completed"]
    assert_log_is_sound(world, dagster_run_id)


def test_the_log_tells_which_values_do_not_fit_their_schemas(world: World) -> None:
    document = Flow("f").step("a", "echo", check_schemas="warn").to_json()
    document["steps"][0]["input_schema"] = {"type": "object"}
    world.define(Flow.model_validate(document))
    world.run("f", HANDLERS, [5])
    world.settle()
    assert world.one("runs")["status"] == "completed"
    warned = (
        "select event_data -> 'warnings' from pgflow.event_log where event_type = 'step.warned'"
    )
    assert world.sql.column(warned) == [
        ["The input of step \"a\" does not fit its schema: $: [5] is not of type 'object'."]
    ]


def test_each_pass_of_a_loop_has_rows_of_its_own(world: World) -> None:
    world.define(QUESTION, ESSAY)
    dagster_run_id = world.run("essay", HANDLERS, {"iterations": 2})
    world.settle()
    inside = ["draft", "check", "ask", "ask.reader", "good"]
    iterations = [f"good[{number}].{slug}" for number in (1, 2) for slug in inside]
    assert world.by_path("status") == {
        **dict.fromkeys(["plan", "good", "publish", *iterations], "completed"),
        "give_up": "skipped",
    }
    assert world.by_path("step_type")["good"] == "loop"
    assert world.by_path("output")["good[2].check"] == [2, 7]
    assert world.tasks("good[2].check", "status") == ["completed", "completed"]
    assert world.subruns("run_index, subrun_index, subrun_path, parent_step_slug, status") == [
        (1, 1, "1", "ask", "completed"),
        (2, 2, "2", "ask", "completed"),
    ]
    run = world.one("runs")
    assert (run["status"], run["remaining_steps"]) == ("completed", 0)
    assert run["output"] == {"publish": {"good": {"reader": {"check": [2, 7]}}}}
    assert world.sql(LOOP_EVENTS) == [
        ("loop.started", {"max_iterations": 3}),
        ("loop.iterated", {"iteration": 1, "again": True}),
        ("loop.iterated", {"iteration": 2, "again": False}),
        ("loop.completed", {"iteration": 2, "ended_by": "break", "taken": ["publish"]}),
    ]
    assert_log_is_sound(world, dagster_run_id)


@pytest.mark.parametrize("iterations", [3, 4])
def test_the_last_iteration_may_succeed_or_not(world: World, iterations: int) -> None:
    world.define(QUESTION, ESSAY)
    dagster_run_id = world.run("essay", HANDLERS, {"iterations": iterations})
    world.settle()
    taken, ended_by = ("publish", "break") if iterations == 3 else ("give_up", "timeout")
    assert world.by_path("status")[taken] == "completed"
    told = world.sql(LOOP_EVENTS)[-1]
    assert told == ("loop.completed", {"iteration": 3, "ended_by": ended_by, "taken": [taken]})
    assert_log_is_sound(world, dagster_run_id)


def test_a_failure_in_an_iteration_fails_the_loop_and_cancels_the_rest(world: World) -> None:
    world.define(QUESTION, ESSAY)
    dagster_run_id = world.run("essay", HANDLERS, {"iterations": 3, "fails_in": 2})
    world.settle()
    status = world.by_path("status")
    assert {path for path, ended in status.items() if ended == "failed"} == {
        "good[2].draft",
        "good",
    }
    assert "good[3].draft" not in status
    assert status["good[2].ask.reader"] == status["publish"] == "cancelled"
    run = world.one("runs")
    assert run["status"] == "failed"
    assert run["error_message"].startswith('Step "good[2].draft" failed: ')
    assert world.subruns("subrun_path, status") == [("1", "completed"), ("2", "cancelled")]
    assert_log_is_sound(world, dagster_run_id)


def test_a_loop_in_a_subflow_whose_failure_leads_on(world: World) -> None:
    outer = (
        Flow("outer")
        .subflow("write", "essay", on_failure="apologise")
        .step("apologise", "echo", depends_on="write")
    )
    world.define(QUESTION, ESSAY, outer)
    dagster_run_id = world.run("outer", HANDLERS, {"iterations": 3, "fails_in": 2})
    world.settle()
    status = world.by_path("status")
    assert (status["write"], status["write.good"]) == ("failed", "failed")
    assert (status["write.good[2].draft"], status["write.publish"]) == ("failed", "cancelled")
    assert status["apologise"] == world.one("runs")["status"] == "completed"
    assert world.subruns("subrun_path, status") == [
        ("1", "failed"),
        ("1.1", "completed"),
        ("1.2", "cancelled"),
    ]
    assert_log_is_sound(world, dagster_run_id)


def test_a_loop_that_the_run_does_not_come_by(world: World) -> None:
    flow = (
        Flow("f")
        .branch("route", rules=[("input.go", "a")])
        .step("a", "echo", depends_on="route")
        .loop("l", back_to="a", condition="true", max_iterations=2, depends_on="a")
        .step("end", "echo", depends_on="l")
    )
    world.define(flow)
    dagster_run_id = world.run("f", HANDLERS, {"go": False})
    world.settle()
    reason = world.by_path("skip_reason")
    assert reason == {
        "route": None,
        "l[1].a": "not_taken",
        **dict.fromkeys(["l", "l[1].l", "end"], "not_taken"),
    }
    assert world.one("runs")["output"] is None
    assert_log_is_sound(world, dagster_run_id)


def test_steps_of_a_first_pass_that_never_begins_wait_for_what_lies_outside(world: World) -> None:
    def fail(_: Any) -> None:
        raise ValueError("no topic")

    flow = (
        Flow("f", max_attempts=1)
        .step("topic", "fail")
        .step("style", "echo")
        .step("draft", "echo", depends_on=["topic", "style"])
        .step("check", "echo", depends_on=["draft", "style"])
        .loop("good", back_to="draft", condition="true", max_iterations=2, depends_on="check")
    )
    world.define(flow)
    world.run("f", {**HANDLERS, "fail": fail}, {})
    world.settle()
    left = world.by_path("remaining_deps")
    assert left == {
        "topic": 0,
        "style": 0,
        "good": 1,
        "good[1].draft": 1,
        "good[1].check": 1,
        "good[1].good": 1,
    }
