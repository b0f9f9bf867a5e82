"""What the run tables say about runs that really ran."""

import threading
from typing import Any

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.step_errors import NonRetryable
from tests.execution.projecting import World, assert_log_is_sound, world

__all__ = ["world"]

PAYMENT = Flow("payment").step("charge").step("receipt", depends_on="charge")
ORDER = (
    Flow("order")
    .step("fetch")
    .map("price", depends_on="fetch")
    .subflow("pay", "payment", depends_on="price")
    .step("done", depends_on=["pay", "price"])
)


def echo(value: Any) -> Any:
    return value


def boom(value: Any) -> Any:
    raise NonRetryable("no money")


HANDLERS = {
    "fetch": lambda _: [1, 2, 3],
    "price": lambda value: value * 2,
    "charge": echo,
    "receipt": lambda _: "paid",
    "done": echo,
}


def test_a_completed_run(world: World) -> None:
    world.define(PAYMENT, ORDER)
    dagster_run_id = world.run("order", HANDLERS, {"id": 7})
    world.settle()
    run = world.one("runs")
    assert run["run_id"] == run["dagster_run_id"] == str(dagster_run_id)
    assert (run["flow_slug"], run["flow_version"], run["status"]) == ("order", 1, "completed")
    assert run["input"] == {"id": 7}
    assert run["output"] == {"done": {"pay": {"receipt": "paid"}, "price": [2, 4, 6]}}
    assert run["remaining_steps"] == 0
    assert run["created_at"] <= run["started_at"] <= run["completed_at"] == run["updated_at"]
    assert set(world.by_path("status").values()) == {"completed"}
    assert world.by_path("output")["price"] == [2, 4, 6]
    assert world.tasks("price", "output") == [2, 4, 6]
    assert world.by_path("remaining_deps") == dict.fromkeys(world.by_path("status"), 0)
    assert_log_is_sound(world, dagster_run_id)


def test_a_subrun_has_its_own_input_and_output(world: World) -> None:
    world.define(PAYMENT, ORDER)
    dagster_run_id = world.run("order", HANDLERS)
    world.settle()
    subrun = world.one("subruns")
    assert subrun["status"] == "completed"
    assert subrun["input"] == {"price": [2, 4, 6]}
    assert subrun["output"] == {"receipt": "paid"} == world.by_path("output")["pay"]
    numbers = world.by_path("subrun_id")
    assert numbers["pay"] is None
    assert numbers["pay.charge"] == numbers["pay.receipt"] == subrun["subrun_id"]
    assert_log_is_sound(world, dagster_run_id)


def test_nested_subruns_are_numbered_and_linked(world: World) -> None:
    world.define(
        PAYMENT,
        Flow("twice").subflow("first", "payment").subflow("second", "payment", depends_on="first"),
        Flow("top").subflow("one", "payment").subflow("two", "twice", depends_on="one"),
    )
    dagster_run_id = world.run("top", HANDLERS)
    world.settle()
    rows = world.sql(
        "select subrun.run_index, subrun.subrun_index, subrun.subrun_path, parent.subrun_path,"
        " subrun.parent_step_slug, subrun.subflow_slug, subrun.status"
        " from pgflow.subruns as subrun"
        " left join pgflow.subruns as parent on parent.subrun_id = subrun.parent_subrun_id"
        " order by subrun.run_index"
    )
    assert rows == [
        (1, 1, "1", None, "one", "payment", "completed"),
        (2, 2, "2", None, "two", "twice", "completed"),
        (3, 1, "2.1", "2", "first", "payment", "completed"),
        (4, 2, "2.2", "2", "second", "payment", "completed"),
    ]
    assert world.one("runs")["output"] == {"two": {"second": {"receipt": "paid"}}}
    assert_log_is_sound(world, dagster_run_id)


def test_a_failed_step_names_itself_and_leaves_nothing_under_way(world: World) -> None:
    world.define(PAYMENT, ORDER)
    dagster_run_id = world.run("order", {**HANDLERS, "charge": boom})
    world.settle()
    run = world.one("runs")
    assert run["status"] == "failed"
    assert run["error_message"].startswith('Step "pay.charge" failed: ')
    assert "no money" in run["error_message"]
    assert run["completed_at"] is None
    assert run["failed_at"] is not None
    assert world.by_path("status") == {
        "fetch": "completed",
        "price": "completed",
        "pay": "failed",
        "pay.charge": "failed",
        "pay.receipt": "cancelled",
        "done": "cancelled",
    }
    assert "no money" in world.by_path("error_message")["pay"]
    assert world.tasks("pay.charge", "status") == ["failed"]
    assert world.one("subruns")["status"] == "failed"
    assert "no money" in world.one("subruns")["error_message"]
    assert run["remaining_steps"] == 2
    assert_log_is_sound(world, dagster_run_id)


def test_a_retried_task_counts_its_attempts(world: World) -> None:
    attempts: list[int] = []

    def flaky(value: Any, context: Any) -> Any:
        attempts.append(context.attempt)
        if context.attempt < 3:
            raise ValueError("not yet")
        return context.attempt

    world.define(Flow("f").step("a", max_attempts=3, base_delay=0))
    dagster_run_id = world.run("f", {"a": flaky})
    world.settle()
    assert attempts == [1, 2, 3]
    task = world.one("step_tasks")
    assert (task["status"], task["attempts_count"], task["error_message"]) == ("completed", 3, None)
    retried = world.sql.column(
        "select event_data from pgflow.event_log where event_type = 'task.retrying' order by 1"
    )
    assert [event["attempt"] for event in retried] == [1, 2]
    assert all("not yet" in event["error"] for event in retried)
    assert_log_is_sound(world, dagster_run_id)


def test_an_exhausted_task_is_failed_with_its_last_error(world: World) -> None:
    def never(value: Any, context: Any) -> int:
        raise ValueError(f"attempt {context.attempt}")

    world.define(Flow("f").step("a", max_attempts=2, base_delay=0))
    dagster_run_id = world.run("f", {"a": never})
    world.settle()
    task = world.one("step_tasks")
    assert (task["status"], task["attempts_count"]) == ("failed", 2)
    assert "ValueError: attempt 2" in task["error_message"]
    assert_log_is_sound(world, dagster_run_id)


def test_a_skipped_step_never_started(world: World) -> None:
    world.define(Flow("f").step("a", if_={"go": True}).step("b", depends_on="a"))
    dagster_run_id = world.run("f", {"a": echo, "b": echo})
    world.settle()
    assert world.by_path("status") == {"a": "skipped", "b": "completed"}
    assert world.by_path("skip_reason")["a"] == "condition_unmet"
    assert world.by_path("started_at")["a"] is None
    assert world.tasks("a", "status") == []
    assert world.by_path("output")["b"] == {}
    assert world.one("runs")["remaining_steps"] == 0
    assert_log_is_sound(world, dagster_run_id)


def test_a_cascading_skip_reaches_every_dependent(world: World) -> None:
    world.define(
        Flow("f")
        .step("a", if_={"go": True}, when_unmet="skip-cascade")
        .map("b", depends_on="a")
        .step("c", depends_on="b")
    )
    dagster_run_id = world.run("f", {"a": echo, "b": echo, "c": echo})
    world.settle()
    assert set(world.by_path("status").values()) == {"skipped"}
    assert world.by_path("skip_reason") == {
        "a": "condition_unmet",
        "b": "dependency_skipped",
        "c": "dependency_skipped",
    }
    run = world.one("runs")
    assert (run["status"], run["output"]) == ("completed", None)
    assert_log_is_sound(world, dagster_run_id)


def test_a_skipped_subflow_step_skips_the_subrun_and_its_steps(world: World) -> None:
    world.define(
        Flow("inner").step("x"),
        Flow("outer").subflow("in", "inner").step("y"),
        Flow("f").step("a").subflow("sub", "outer", depends_on="a", if_={"a": {"go": True}}),
    )
    dagster_run_id = world.run("f", {"a": echo, "x": echo, "y": echo})
    world.settle()
    assert world.by_path("status") == {
        "a": "completed",
        "sub": "skipped",
        "sub.in": "skipped",
        "sub.in.x": "skipped",
        "sub.y": "skipped",
    }
    assert world.by_path("skip_reason") == {
        "a": None,
        "sub": "condition_unmet",
        "sub.in": "dependency_skipped",
        "sub.in.x": "dependency_skipped",
        "sub.y": "dependency_skipped",
    }
    subruns = world.sql("select status, started_at, output from pgflow.subruns order by run_index")
    assert subruns == [("skipped", None, None)] * 2
    assert_log_is_sound(world, dagster_run_id)


def test_a_subflow_whose_steps_all_skip_by_themselves_completes(world: World) -> None:
    world.define(Flow("inner").step("x", if_={"go": True}), Flow("f").subflow("sub", "inner"))
    dagster_run_id = world.run("f", {"x": echo})
    world.settle()
    assert world.by_path("status") == {"sub": "completed", "sub.x": "skipped"}
    assert world.by_path("skip_reason")["sub.x"] == "condition_unmet"
    subrun = world.one("subruns")
    assert (subrun["status"], subrun["output"]) == ("completed", None)
    assert_log_is_sound(world, dagster_run_id)


def test_a_flow_that_cannot_run_says_why(world: World) -> None:
    world.define(Flow("f").step("a"))
    world.sql(
        "insert into pgflow.flow_versions (flow_slug, version, definition, content_hash)"
        " select 'f', 2, jsonb_set(definition, '{steps,0,depends_on}', '[\"a\"]'), 'other'"
        " from pgflow.flow_versions"
    )
    dagster_run_id = world.run("f", {"a": echo})
    world.settle()
    run = world.one("runs")
    assert run["status"] == "failed"
    assert "depends on itself" in run["error_message"]
    assert world.by_path("status") == {"a": "cancelled"}
    assert_log_is_sound(world, dagster_run_id)


def test_text_that_postgres_cannot_hold_does_not_stop_the_projection(world: World) -> None:
    def fail(value: Any) -> None:
        raise NonRetryable("half \ud800 and nul \x00")

    world.define(Flow("f").step("a"))
    world.run("f", {"a": fail})
    assert world.project().problems == []
    assert "nul \ufffd" in world.one("runs")["error_message"]


def test_a_run_under_way_shows_how_far_it_is(world: World) -> None:
    seen: dict[str, Any] = {}
    reached = threading.Event()

    def look(value: Any) -> str:
        # The handler's thread looks, as the sensor would from outside.
        world.project()
        seen["run"] = world.one("runs")
        seen["status"] = world.by_path("status")
        seen["tasks"] = world.tasks("b", "status")
        seen["deps"] = world.by_path("remaining_deps")
        reached.set()
        return "seen"

    world.define(
        PAYMENT,
        Flow("f").step("a").map("b", depends_on="a").subflow("p", "payment", depends_on="b"),
    )
    handlers = {**HANDLERS, "a": lambda _: [1, 2], "b": echo, "charge": look}
    dagster_run_id = world.run("f", handlers)
    assert reached.is_set()
    assert (seen["run"]["status"], seen["run"]["remaining_steps"]) == ("started", 1)
    assert seen["status"] == {
        "a": "completed",
        "b": "completed",
        "p": "started",
        "p.charge": "started",
        "p.receipt": "created",
    }
    assert seen["deps"]["p.receipt"] == 1
    assert seen["tasks"] == ["completed", "completed"]
    world.settle()
    assert world.one("runs")["status"] == "completed"
    assert_log_is_sound(world, dagster_run_id)


def test_a_run_with_the_tags_of_an_older_one_is_told_by_what_it_executed(world: World) -> None:
    # Dagster gives a re-execution the tags of the run that it repeats.
    world.define(Flow("edited").step("before", handler="fetch"))
    old = world.job("edited", HANDLERS).tags
    world.define(Flow("edited").step("after", handler="fetch"))

    world.job("edited", HANDLERS).execute_in_process(
        instance=world.instance, run_config={"inputs": {"flow_input": {}}}, tags=dict(old)
    )
    world.settle()

    assert world.by_path("status") == {"after": "completed"}
    assert world.one("runs")["flow_version"] == 2
