"""What the run tables say about subflows that fail while the flow around them goes on."""

from typing import Any

import pytest

from dagster_pgflow.model.flow import Flow
from tests.execution.projecting import World, assert_log_is_sound, world
from tests.execution.small_flows import HANDLERS, LEAF, MIDDLE, PAYMENT, fail

__all__ = ["world"]


ORDER = (
    Flow("order")
    .step("prepare", "echo")
    .subflow("pay", "payment", depends_on="prepare", on_failure="undo")
    .step("ship", "echo", depends_on="pay")
    .step("box", "echo", depends_on="ship")
    .step("undo", "echo", depends_on=["pay", "prepare"])
    .step("close", "echo", depends_on=["box", "undo"])
)


def test_a_failure_that_is_routed_fails_the_subrun_and_not_the_run(world: World) -> None:
    world.define(PAYMENT, ORDER)
    dagster_run_id = world.run("order", HANDLERS, {"id": 7})
    world.settle()
    assert world.by_path("status") == {
        "prepare": "completed",
        "pay": "failed",
        "pay.check": "completed",
        "pay.charge": "failed",
        "pay.receipt": "cancelled",
        "pay.note": "completed",
        "ship": "skipped",
        "box": "skipped",
        "undo": "completed",
        "close": "completed",
    }
    assert_log_is_sound(world, dagster_run_id)


def test_the_rows_tell_what_failed_and_that_the_run_went_on(world: World) -> None:
    world.define(PAYMENT, ORDER)
    dagster_run_id = world.run("order", HANDLERS, {"id": 7})
    world.settle()
    run, subrun = world.one("runs"), world.one("subruns")
    assert (run["status"], run["error_message"], run["remaining_steps"]) == ("completed", None, 0)
    assert (subrun["status"], subrun["output"]) == ("failed", None)
    assert subrun["input"] == {"prepare": {"id": 7}}
    error = world.by_path("error_message")
    assert subrun["error_message"] == error["pay"] == error["pay.charge"]
    assert "no money (" in error["pay"]
    assert world.by_path("remaining_deps") == {
        **dict.fromkeys(world.by_path("status"), 0),
        "pay.receipt": 1,
    }
    assert world.by_path("skip_reason")["ship"] == "not_taken"
    assert world.by_path("skip_reason")["box"] == "not_taken"
    assert world.by_path("output")["undo"]["pay"]["error"] == error["pay"]
    assert world.tasks("pay.charge", "status") == ["failed"]
    assert world.tasks("pay.receipt", "status") == []
    told = world.sql.value(
        "select event_data from pgflow.event_log"
        " where event_type = 'step.failed' and correlation_id = 'pay'"
    )
    assert told == {"error": error["pay"], "on_failure": "undo"}
    assert_log_is_sound(world, dagster_run_id)


def test_a_success_skips_the_failure_step(world: World) -> None:
    world.define(PAYMENT, ORDER)
    dagster_run_id = world.run("order", {**HANDLERS, "fail": lambda _: "paid"})
    world.settle()
    told = world.by_path("status")
    assert told.pop("undo") == "skipped"
    assert set(told.values()) == {"completed"}
    assert world.by_path("skip_reason")["undo"] == "not_taken"
    assert world.one("runs")["remaining_steps"] == 0
    assert_log_is_sound(world, dagster_run_id)


def test_a_failure_that_nobody_routes_fails_step_and_run(world: World) -> None:
    world.define(PAYMENT, Flow("order").subflow("pay", "payment").step("z", depends_on="pay"))
    dagster_run_id = world.run("order", HANDLERS)
    world.settle()
    told = world.by_path("status")
    assert (told["pay"], told["pay.charge"], told["pay.receipt"]) == (
        "failed",
        "failed",
        "cancelled",
    )
    assert told["z"] == "cancelled"
    run = world.one("runs")
    assert (run["status"], run["remaining_steps"]) == ("failed", 2)
    assert run["error_message"].startswith('Step "pay.charge" failed: ')
    assert world.one("subruns")["status"] == "failed"
    assert_log_is_sound(world, dagster_run_id)


def test_the_same_flow_twice_may_fail_once(world: World) -> None:
    def picky(given: Any) -> Any:
        return fail(given) if given["check"]["bad"] else given

    world.define(
        PAYMENT,
        Flow("order")
        .subflow("first", "payment", input={"bad": True}, on_failure="undo")
        .subflow("second", "payment", input={"bad": False}, on_failure="undo_too")
        .step("undo", "echo", depends_on="first")
        .step("undo_too", "echo", depends_on="second"),
    )
    dagster_run_id = world.run("order", {**HANDLERS, "fail": picky})
    world.settle()
    rows = world.sql(
        "select run_index, parent_step_slug, status, input from pgflow.subruns order by 1"
    )
    assert rows == [
        (1, "first", "failed", {"bad": True}),
        (2, "second", "completed", {"bad": False}),
    ]
    assert world.by_path("status")["undo"] == "completed"
    assert world.by_path("status")["undo_too"] == "skipped"
    assert_log_is_sound(world, dagster_run_id)


def test_a_failure_three_flows_deep_is_routed_at_the_top(world: World) -> None:
    world.define(
        LEAF,
        MIDDLE,
        Flow("outer").subflow("mid", "middle").step("w", "echo", depends_on="mid"),
        Flow("top")
        .subflow("out", "outer", on_failure="mend")
        .step("mend", "echo", depends_on="out"),
    )
    dagster_run_id = world.run("top", HANDLERS)
    world.settle()
    assert world.by_path("status") == {
        "mend": "completed",
        "out": "failed",
        "out.mid": "failed",
        "out.mid.a": "completed",
        "out.mid.inner": "failed",
        "out.mid.inner.x": "failed",
        "out.mid.inner.y": "cancelled",
        "out.mid.z": "cancelled",
        "out.w": "cancelled",
    }
    rows = world.sql("select subrun_path, status, error_message from pgflow.subruns order by 1")
    assert [row[:2] for row in rows] == [("1", "failed"), ("1.1", "failed"), ("1.1.1", "failed")]
    assert len({row[2] for row in rows}) == 1
    assert world.one("runs")["status"] == "completed"
    assert_log_is_sound(world, dagster_run_id)


def test_a_failure_that_is_routed_inside_leaves_the_flows_around_it_alone(world: World) -> None:
    world.define(
        LEAF,
        Flow("middle")
        .subflow("inner", "leaf", on_failure="mend")
        .step("mend", "echo", depends_on="inner"),
        Flow("top").subflow("mid", "middle").step("last", "echo", depends_on="mid"),
    )
    dagster_run_id = world.run("top", HANDLERS)
    world.settle()
    assert world.by_path("status") == {
        "last": "completed",
        "mid": "completed",
        "mid.inner": "failed",
        "mid.inner.x": "failed",
        "mid.inner.y": "cancelled",
        "mid.mend": "completed",
    }
    rows = world.sql("select subrun_path, status from pgflow.subruns order by 1")
    assert rows == [("1", "completed"), ("1.1", "failed")]
    assert list(world.by_path("output")["mid"]) == ["mend"]
    assert_log_is_sound(world, dagster_run_id)


def test_a_subflow_beside_a_failed_one_is_cancelled_with_what_did_not_run(world: World) -> None:
    world.define(
        Flow("leaf").step("x", "echo"),
        Flow("middle").step("bad", "fail").subflow("inner", "leaf", depends_on="bad"),
        Flow("top")
        .subflow("mid", "middle", on_failure="mend")
        .step("mend", "echo", depends_on="mid"),
    )
    dagster_run_id = world.run("top", HANDLERS)
    world.settle()
    assert world.by_path("status") == {
        "mend": "completed",
        "mid": "failed",
        "mid.bad": "failed",
        "mid.inner": "cancelled",
        "mid.inner.x": "cancelled",
    }
    rows = world.sql("select subrun_path, status from pgflow.subruns order by 1")
    assert rows == [("1", "failed"), ("1.1", "cancelled")]
    assert_log_is_sound(world, dagster_run_id)


@pytest.mark.parametrize("batch_size", [1, 5])
def test_a_map_inside_that_fails_tells_of_each_element(world: World, batch_size: int) -> None:
    world.define(
        Flow("lists")
        .map("m", "double", batch_size=batch_size)
        .map("n", "double", depends_on="m", pipelined=True)
        .step("sum", "echo", depends_on="n"),
        Flow("top").subflow("s", "lists", on_failure="mend").step("mend", "echo", depends_on="s"),
    )
    dagster_run_id = world.run("top", HANDLERS, [1, 13, 3])
    world.settle()
    assert world.by_path("status") == {
        "mend": "completed",
        "s": "failed",
        "s.m": "failed",
        "s.n": "cancelled",
        "s.sum": "cancelled",
    }
    assert world.tasks("s.m", "status") == ["completed", "failed", "completed"]
    done = "completed" if batch_size == 1 else "cancelled"
    assert world.tasks("s.n", "status") == [done, "cancelled", done]
    assert_log_is_sound(world, dagster_run_id)


def test_a_child_that_refuses_its_input_fails_before_any_of_its_steps(world: World) -> None:
    world.define(
        Flow("strict", input_schema={"type": "array"}).step("x", "echo").step("y", "echo"),
        Flow("top").subflow("s", "strict", on_failure="mend").step("mend", "echo", depends_on="s"),
    )
    dagster_run_id = world.run("top", HANDLERS, {"no": "list"})
    world.settle()
    assert world.by_path("status") == {
        "mend": "completed",
        "s": "failed",
        "s.x": "cancelled",
        "s.y": "cancelled",
    }
    assert world.sql("select from pgflow.step_tasks where step_path like 's.%%'") == []
    subrun = world.one("subruns")
    assert "does not fit its input schema" in subrun["error_message"]
    assert subrun["input"] == {"no": "list"}
    assert_log_is_sound(world, dagster_run_id)


def test_a_skipped_step_that_is_a_subflow_skips_it_on_either_path(world: World) -> None:
    world.define(
        PAYMENT,
        Flow("repair").step("note", "echo"),
        Flow("order")
        .subflow("pay", "payment", on_failure="mend")
        .subflow("mend", "repair", depends_on="pay", input={"why": "$nodes.pay.error"})
        .subflow("deliver", "repair", depends_on="pay")
        .subflow("after", "repair", depends_on="deliver"),
    )
    dagster_run_id = world.run("order", HANDLERS)
    world.settle()
    rows = dict(world.sql("select parent_step_slug, status from pgflow.subruns"))
    assert rows == {
        "pay": "failed",
        "mend": "completed",
        "deliver": "skipped",
        "after": "skipped",
    }
    reasons = world.by_path("skip_reason")
    assert (reasons["deliver"], reasons["after"]) == ("not_taken", "not_taken")
    assert reasons["deliver.note"] == "dependency_skipped"
    mended = world.one("subruns", "parent_step_slug = 'mend'")
    assert "no money (" in mended["input"]["why"]
    assert_log_is_sound(world, dagster_run_id)


def test_a_failed_subflow_may_be_looked_at_while_the_run_goes_on(world: World) -> None:
    seen: dict[str, Any] = {}

    def look(value: Any) -> str:
        world.project()
        seen.update(
            run=world.one("runs"), subrun=world.one("subruns"), steps=world.by_path("status")
        )
        seen["deps"] = world.by_path("remaining_deps")
        return "seen"

    world.define(
        PAYMENT,
        Flow("order")
        .subflow("pay", "payment", on_failure="undo")
        .step("undo", "look", depends_on="pay"),
    )
    dagster_run_id = world.run("order", {**HANDLERS, "look": look})
    assert (seen["run"]["status"], seen["run"]["remaining_steps"]) == ("started", 1)
    assert seen["subrun"]["status"] == "failed"
    assert seen["steps"] == {
        "pay": "failed",
        "pay.check": "completed",
        "pay.charge": "failed",
        "pay.receipt": "cancelled",
        "pay.note": "completed",
        "undo": "started",
    }
    assert seen["deps"]["undo"] == 0
    world.settle()
    assert_log_is_sound(world, dagster_run_id)
