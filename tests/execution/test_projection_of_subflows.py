"""What the run tables say about subflows that fail, map what they exchange, and run over lists."""

from collections.abc import Callable
from typing import Any

import pytest

from dagster_pgflow.errors import NonRetryable
from dagster_pgflow.model.flow import Flow
from tests.execution.harness import BUILT_IN, gives
from tests.execution.projecting import World, assert_log_is_sound, world

__all__ = ["world"]


def fail(value: Any) -> Any:
    raise NonRetryable("no money")


def double(value: int) -> int:
    if value == 13:
        raise NonRetryable("no thirteen")
    return value * 2


HANDLERS: dict[str, Callable[..., Any]] = {**BUILT_IN, "fail": fail, "double": double}
PAYMENT = (
    Flow("payment")
    .step("check", "echo")
    .step("charge", "fail", depends_on="check")
    .step("receipt", "echo", depends_on="charge")
    .step("note", "echo", depends_on="check")
)
ORDER = (
    Flow("order")
    .step("prepare", "echo")
    .subflow("pay", "payment", depends_on="prepare", on_failure="undo")
    .step("ship", "echo", depends_on="pay")
    .step("box", "echo", depends_on="ship")
    .step("undo", "echo", depends_on=["pay", "prepare"])
    .step("close", "echo", depends_on=["box", "undo"])
)


def statuses(world: World) -> dict[str, str]:
    return world.by_path("status")


def test_a_failure_that_is_routed_fails_the_subrun_and_not_the_run(world: World) -> None:
    world.define(PAYMENT, ORDER)
    dagster_run_id = world.run("order", HANDLERS, {"id": 7})
    world.settle()
    assert statuses(world) == {
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
    assert error["pay"].endswith("no money")
    assert world.by_path("remaining_deps") == {
        **dict.fromkeys(statuses(world), 0),
        "pay.receipt": 1,
    }
    assert world.by_path("skip_reason")["ship"] == "condition_unmet"
    assert world.by_path("skip_reason")["box"] == "dependency_skipped"
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
    told = statuses(world)
    assert told.pop("undo") == "skipped"
    assert set(told.values()) == {"completed"}
    assert world.by_path("skip_reason")["undo"] == "condition_unmet"
    assert world.one("runs")["remaining_steps"] == 0
    assert_log_is_sound(world, dagster_run_id)


def test_a_failure_that_nobody_routes_fails_step_and_run(world: World) -> None:
    world.define(PAYMENT, Flow("order").subflow("pay", "payment").step("z", depends_on="pay"))
    dagster_run_id = world.run("order", HANDLERS)
    world.settle()
    told = statuses(world)
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
    assert statuses(world)["undo"] == "completed"
    assert statuses(world)["undo_too"] == "skipped"
    assert_log_is_sound(world, dagster_run_id)


LEAF = Flow("leaf").step("x", "fail").step("y", "echo", depends_on="x")
MIDDLE = (
    Flow("middle").subflow("inner", "leaf").step("z", "echo", depends_on="inner").step("a", "echo")
)


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
    assert statuses(world) == {
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
    assert statuses(world) == {
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
    assert statuses(world) == {
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
    assert statuses(world) == {
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
    assert statuses(world) == {
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
    assert (reasons["deliver"], reasons["after"]) == ("condition_unmet", "dependency_skipped")
    assert reasons["deliver.note"] == "dependency_skipped"
    mended = world.one("subruns", "parent_step_slug = 'mend'")
    assert mended["input"]["why"].endswith("no money")
    assert_log_is_sound(world, dagster_run_id)


def test_a_failed_subflow_may_be_looked_at_while_the_run_goes_on(world: World) -> None:
    seen: dict[str, Any] = {}

    def look(value: Any) -> str:
        world.project()
        seen.update(run=world.one("runs"), subrun=world.one("subruns"), steps=statuses(world))
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


CHILD = Flow("child").step("twice", "double").step("note", "echo", depends_on="twice")


def listing(items: Any, **settings: Any) -> Flow:
    return (
        Flow("top")
        .step("list", **gives(items))
        .subflow("each", "child", depends_on="list", **{"over": "list", **settings})
        .step("after", "echo", depends_on="each")
    )


def subruns(world: World, columns: str) -> list[tuple[Any, ...]]:
    return world.sql(f"select {columns} from pgflow.subruns order by run_index")


def test_a_subflow_over_a_list_has_a_subrun_for_each_item(world: World) -> None:
    world.define(CHILD, listing([1, 2, 3]))
    dagster_run_id = world.run("top", HANDLERS)
    world.settle()
    columns = "run_index, subrun_index, subrun_path, map_index, parent_step_slug, status, input"
    assert subruns(world, columns) == [
        (1, 1, "1", 0, "each", "completed", 1),
        (2, 2, "2", 1, "each", "completed", 2),
        (3, 3, "3", 2, "each", "completed", 3),
    ]
    assert subruns(world, "output") == [({"note": {"twice": n}},) for n in (2, 4, 6)]
    assert set(statuses(world)) == {
        *("list", "each", "after"),
        *(f"each[{index}].{slug}" for index in range(3) for slug in ("twice", "note")),
    }
    step = world.one("step_states", "step_path = 'each'")
    assert (step["initial_tasks"], step["remaining_tasks"]) == (3, 0)
    assert step["output"] == [{"note": {"twice": n}} for n in (2, 4, 6)]
    assert step["started_at"] is not None
    assert world.tasks("each[1].twice", "output") == [4]
    numbers = world.by_path("subrun_id")
    assert len({numbers[f"each[{index}].note"] for index in range(3)}) == 3
    assert world.one("runs")["remaining_steps"] == 0
    assert_log_is_sound(world, dagster_run_id)


def test_more_than_ten_items_are_found_under_their_padded_keys(world: World) -> None:
    world.define(
        Flow("child").step("twice", "double"), listing(list(range(12)), output="$nodes.twice")
    )
    dagster_run_id = world.run("top", HANDLERS)
    world.settle()
    assert subruns(world, "map_index, input, output") == [
        (n, n, {"twice": n * 2}) for n in range(12)
    ]
    assert world.by_path("output")["each"] == [n * 2 for n in range(12)]
    assert_log_is_sound(world, dagster_run_id)


def test_an_empty_list_has_no_subruns_and_completes(world: World) -> None:
    world.define(CHILD, listing([]))
    dagster_run_id = world.run("top", HANDLERS)
    world.settle()
    step = world.one("step_states", "step_path = 'each'")
    assert (step["status"], step["initial_tasks"], step["output"]) == ("completed", 0, [])
    assert subruns(world, "subrun_id") == []
    assert world.by_path("output")["after"] == {"each": []}
    assert_log_is_sound(world, dagster_run_id)


def test_a_list_that_is_not_run_over_is_skipped_without_subruns(world: World) -> None:
    world.define(CHILD, listing([1, 2], if_={"list": [9]}))
    dagster_run_id = world.run("top", HANDLERS)
    world.settle()
    assert statuses(world) == {"list": "completed", "each": "skipped", "after": "completed"}
    assert world.by_path("initial_tasks")["each"] is None
    assert_log_is_sound(world, dagster_run_id)


def test_a_failed_item_fails_its_step_and_the_run(world: World) -> None:
    world.define(CHILD, listing([1, 13]))
    dagster_run_id = world.run("top", HANDLERS)
    world.settle()
    told = statuses(world)
    assert (told["each"], told["each[1].twice"], told["each[1].note"]) == (
        "failed",
        "failed",
        "cancelled",
    )
    assert subruns(world, "status")[1] == ("failed",)
    run = world.one("runs")
    assert run["status"] == "failed"
    assert run["error_message"].startswith('Step "each[1].twice" failed: ')
    assert_log_is_sound(world, dagster_run_id)


def test_a_failed_item_that_is_routed_leaves_the_others_alone(world: World) -> None:
    flow = listing([1, 13, 3, 13], on_failure="mend").step("mend", "echo", depends_on="each")
    world.define(CHILD, flow)
    dagster_run_id = world.run("top", HANDLERS)
    world.settle()
    told = statuses(world)
    assert subruns(world, "status") == [
        ("completed",),
        ("failed",),
        ("completed",),
        ("failed",),
    ]
    assert (told["each"], told["each[1].note"], told["each[2].note"]) == (
        "failed",
        "cancelled",
        "completed",
    )
    assert (told["after"], told["mend"]) == ("skipped", "completed")
    step = world.one("step_states", "step_path = 'each'")
    assert (step["initial_tasks"], step["remaining_tasks"]) == (4, 2)
    assert step["error_message"] == world.by_path("error_message")["each[1].twice"]
    run = world.one("runs")
    assert (run["status"], run["remaining_steps"]) == ("completed", 0)
    assert_log_is_sound(world, dagster_run_id)


def test_what_is_no_list_fails_the_step_or_is_routed(world: World) -> None:
    flow = listing({"no": "list"}, on_failure="mend").step("mend", "echo", depends_on="each")
    world.define(CHILD, flow)
    dagster_run_id = world.run("top", HANDLERS)
    world.settle()
    assert statuses(world) == {
        "list": "completed",
        "each": "failed",
        "after": "skipped",
        "mend": "completed",
    }
    assert "it must be a list" in world.by_path("error_message")["each"]
    assert_log_is_sound(world, dagster_run_id)


def test_items_are_numbered_behind_all_subruns_that_are_known_before(world: World) -> None:
    world.define(
        CHILD,
        Flow("leaf").step("x", "echo"),
        Flow("middle").subflow("inner", "leaf").step("m", "echo", depends_on="inner"),
        Flow("top")
        .subflow("one", "child", over="$input.a")
        .subflow("two", "middle", depends_on="one", over="$input.b")
        .subflow("three", "middle", depends_on="two"),
    )
    dagster_run_id = world.run("top", HANDLERS, {"a": [1], "b": [5, 6]})
    world.settle()
    assert subruns(world, "run_index, subrun_path, parent_step_slug, map_index") == [
        (1, "1", "three", None),
        (2, "1.1", "inner", None),
        (3, "2", "one", 0),
        (4, "3", "two", 0),
        (5, "3.1", "inner", None),
        (6, "4", "two", 1),
        (7, "4.1", "inner", None),
    ]
    assert world.by_path("output")["two[1].inner.x"] == 6
    assert_log_is_sound(world, dagster_run_id)


def test_a_map_in_an_item_has_its_tasks(world: World) -> None:
    child = (
        Flow("child")
        .map("m", "double", collect_errors=True)
        .map("n", "echo", depends_on="m", pipelined=True)
        .step("sum", "echo", depends_on="n")
    )
    world.define(child, listing([[1, 13], [], [3]]))
    dagster_run_id = world.run("top", HANDLERS)
    world.settle()
    assert set(statuses(world).values()) == {"completed"}
    assert world.tasks("each[0].m", "status") == ["completed", "failed"]
    assert world.tasks("each[0].n", "output")[0] == 2
    assert world.tasks("each[1].m", "status") == []
    assert world.by_path("initial_tasks")["each[1].m"] == 0
    assert world.by_path("remaining_tasks")["each[0].m"] == 0
    assert world.by_path("output")["each[2].n"] == [6]
    assert_log_is_sound(world, dagster_run_id)


def test_a_map_in_an_item_may_be_large_and_tried_again(world: World) -> None:
    tries: list[int] = []

    def flaky(value: int) -> str:
        tries.append(value)
        if value == 1 and tries.count(1) == 1:
            raise ValueError("not yet")
        return "x" * 3000

    world.define(
        Flow("child").map("m", "flaky", max_attempts=2, base_delay=0), listing([[1, 2], [3]])
    )
    dagster_run_id = world.run("top", {**HANDLERS, "flaky": flaky})
    world.settle()
    assert set(statuses(world).values()) == {"completed"}
    assert [len(output) for output in world.tasks("each[0].m", "output")] == [3000, 3000]
    assert world.attempts("each[0].m") == [
        (0, 1, "failed"),
        (0, 2, "completed"),
        (1, 1, "completed"),
    ]
    assert len(world.by_path("output")["each"]) == 2
    assert_log_is_sound(world, dagster_run_id)


def test_a_failed_map_in_an_item_fails_the_item(world: World) -> None:
    child = Flow("child").map("m", "double").step("sum", "echo", depends_on="m")
    world.define(
        child, listing([[1, 13, 2], [4]], on_failure="mend").step("mend", "echo", depends_on="each")
    )
    dagster_run_id = world.run("top", HANDLERS)
    world.settle()
    assert world.tasks("each[0].m", "status") == ["completed", "failed", "completed"]
    assert subruns(world, "status") == [("failed",), ("completed",)]
    assert_log_is_sound(world, dagster_run_id)


def test_a_list_in_a_subflow_that_fails_is_told_too(world: World) -> None:
    world.define(
        CHILD,
        Flow("middle")
        .step("list", **gives([13, 2]))
        .subflow("each", "child", depends_on="list", over="list"),
        Flow("top")
        .subflow("mid", "middle", on_failure="mend")
        .step("mend", "echo", depends_on="mid"),
    )
    dagster_run_id = world.run("top", HANDLERS)
    world.settle()
    told = statuses(world)
    assert (told["mid"], told["mid.each"], told["mid.each[0].note"]) == (
        "failed",
        "failed",
        "cancelled",
    )
    assert told["mid.each[1].note"] == "completed"
    assert subruns(world, "subrun_path, status") == [
        ("1", "failed"),
        ("1.1", "failed"),
        ("1.2", "completed"),
    ]
    assert_log_is_sound(world, dagster_run_id)


def test_items_show_while_the_run_is_under_way_and_keep_their_numbers(world: World) -> None:
    seen: list[list[tuple[Any, ...]]] = []
    steps: list[dict[str, Any]] = []

    def look(value: Any) -> Any:
        world.project()
        seen.append(subruns(world, "subrun_path, subrun_id, map_index"))
        steps.append(world.one("step_states", "step_path = 'each'"))
        return value

    world.define(Flow("child").step("a", "look"), listing(["x", "y"]))
    dagster_run_id = world.run("top", {**HANDLERS, "look": look})
    world.settle()
    assert seen[0] == seen[1] == subruns(world, "subrun_path, subrun_id, map_index")
    assert [step["status"] for step in steps] == ["started", "started"]
    assert [step["remaining_tasks"] for step in steps] == [2, 1]
    assert_log_is_sound(world, dagster_run_id)


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
    flow = Flow("top").subflow("s", "child", **({"on_failure": "mend"} if routed else {}))
    if routed:
        flow = flow.step("mend", "echo", depends_on="s")
    world.define(
        Flow("child", output_schema={"properties": {"a": {"type": "string"}}}).step("a", "echo"),
        flow,
    )
    dagster_run_id = world.run("top", HANDLERS, 5)
    world.settle()
    told = statuses(world)
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
