"""What the run tables say about tasks that are tried again, later, or in vain."""

from typing import Any

import pytest

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.projection.sync.projector import rebuild
from dagster_pgflow.step_errors import NonRetryable
from tests.execution.projecting import Handlers, World, assert_log_is_sound, world

__all__ = ["world"]


def echo(value: Any) -> Any:
    return value


def flaky(value: Any, context: Any) -> Any:
    """Fails the first try of a two, each of a three, and a four for good."""
    if value == 4:
        raise NonRetryable("four")
    if value == 3 or (value == 2 and context.attempt == 1):
        raise ValueError(f"{value} at try {context.attempt}")
    return value * 10


def test_every_attempt_is_a_row(world: World) -> None:
    world.define(Flow("f").step("a", max_attempts=3, base_delay=0))
    dagster_run_id = world.run("f", {"a": flaky}, 2)
    world.settle()
    first, second = world.sql.records("select * from pgflow.node_executions order by attempt")
    assert (first["step_path"], first["step_slug"], first["flow_slug"]) == ("a", "a", "f")
    assert (first["status"], second["status"]) == ("failed", "completed")
    assert "ValueError: 2 at try 1" in first["error"]
    assert second["error"] is None
    task = world.one("step_tasks")
    assert (task["attempts_count"], task["last_worker_id"]) == (2, second["worker_id"])
    assert (task["started_at"], task["completed_at"]) == (
        second["started_at"],
        second["completed_at"],
    )
    for row in (first, second):
        took = (row["completed_at"] - row["started_at"]).total_seconds() * 1000
        assert row["duration_ms"] == round(took)
    assert first["completed_at"] <= second["started_at"]
    assert_log_is_sound(world, dagster_run_id)


@pytest.mark.parametrize("batch_size", [1, 2, 4])
def test_attempts_are_the_same_in_batches_of_any_size(world: World, batch_size: int) -> None:
    world.define(Flow("f").map("m", batch_size=batch_size, max_attempts=3, base_delay=0))
    dagster_run_id = world.run("f", {"m": flaky}, [1, 2, 3, 4])
    world.settle()
    assert world.tasks("m", "status") == ["completed", "completed", "failed", "failed"]
    assert world.attempts("m") == [
        (0, 1, "completed"),
        (1, 1, "failed"),
        (1, 2, "completed"),
        (2, 1, "failed"),
        (2, 2, "failed"),
        (2, 3, "failed"),
        (3, 1, "failed"),
    ]
    assert_log_is_sound(world, dagster_run_id)


def test_a_batch_shows_what_is_done_while_it_is_tried_again(world: World) -> None:
    seen: list[Any] = []

    def look(value: Any, context: Any) -> Any:
        if context.attempt == 2 and value == 2:
            world.project()
            seen.extend(world.tasks("m", "status"))
            seen.append(world.tasks("m", "output"))
            seen.append(world.attempts("m"))
        return flaky(value, context)

    world.define(Flow("f").map("m", batch_size=3, max_attempts=2, base_delay=0))
    dagster_run_id = world.run("f", {"m": look}, [1, 2, 4])
    assert seen == [
        "completed",
        "started",
        "failed",
        [10, None, None],
        [(0, 1, "completed"), (1, 1, "failed"), (1, 2, "started"), (2, 1, "failed")],
    ]
    world.settle()
    assert world.attempts("m")[2] == (1, 2, "completed")
    assert_log_is_sound(world, dagster_run_id)


def test_a_start_delay_is_no_attempt(world: World) -> None:
    seen: list[Any] = []

    def look(value: Any) -> Any:
        world.project()
        seen.append(world.by_path("status"))
        return value

    world.define(
        Flow("f", base_delay=0).step("a", handler="flaky", start_delay=1).step("b", handler="look")
    )
    dagster_run_id = world.run("f", {"flaky": flaky, "look": look}, 2)
    world.settle()
    assert seen == [{"a": "created", "b": "started"}]
    assert world.attempts("a") == [(0, 1, "failed"), (0, 2, "completed")]
    [event] = world.sql.records("select * from pgflow.event_log where event_type = 'step.delayed'")
    assert event["correlation_id"] == "a"
    assert 0 < event["event_data"]["delay_seconds"] <= 1
    waited = world.by_path("started_at")["a"] - event["timestamp"]
    assert waited.total_seconds() >= 0.9
    assert_log_is_sound(world, dagster_run_id)


@pytest.mark.parametrize("batch_size", [1, 2])
def test_a_delayed_map_starts_each_of_its_tasks_once(world: World, batch_size: int) -> None:
    flow = Flow("f").step("a").map("m", depends_on="a", start_delay=1, batch_size=batch_size)
    world.define(flow)
    dagster_run_id = world.run("f", {"a": lambda _: [1, 1, 1], "m": flaky})
    world.settle()
    assert world.attempts("m") == [(index, 1, "completed") for index in range(3)]
    assert world.event_types().count("step.delayed") == 1
    assert world.event_types().count("task.started") == 4
    assert_log_is_sound(world, dagster_run_id)


@pytest.mark.parametrize("batch_size", [1, 2, 4])
@pytest.mark.parametrize("more", ["", "x" * 5000])
def test_collected_errors_stand_in_their_places(world: World, batch_size: int, more: str) -> None:
    received: list[Any] = []

    def lengthy(value: int, context: Any) -> str:
        return f"{flaky(value, context)}{more}"

    world.define(
        Flow("f", base_delay=0, max_attempts=2)
        .map("m", batch_size=batch_size, collect_errors=True)
        .step("z", depends_on="m")
    )
    dagster_run_id = world.run("f", {"m": lengthy, "z": received.append}, [1, 2, 3, 4])
    world.settle()
    assert world.by_path("status") == {"m": "completed", "z": "completed"}
    assert world.tasks("m", "status") == ["completed", "completed", "failed", "failed"]
    output = world.by_path("output")["m"]
    assert received == [{"m": output}]
    assert output[:2] == [f"10{more}", f"20{more}"]
    assert [element["error"]["attempts"] for element in output[2:]] == [2, 1]
    assert [element["error"]["message"] for element in output[2:]] == world.tasks(
        "m", "error_message"
    )[2:]
    assert world.by_path("remaining_tasks")["m"] == 0
    assert_log_is_sound(world, dagster_run_id)


@pytest.mark.parametrize("batch_size", [1, 2])
def test_a_pipelined_map_goes_on_where_the_one_before_is_done(
    world: World, batch_size: int
) -> None:
    world.define(
        Flow("f", max_attempts=1)
        .step("a")
        .map("m", depends_on="a", batch_size=batch_size)
        .map("n", handler="echo", depends_on="m", pipelined=True)
    )
    handlers: Handlers = {"a": lambda _: [1, 1, 1, 1, 3], "m": flaky, "echo": echo}
    dagster_run_id = world.run("f", handlers)
    world.settle()
    assert world.by_path("initial_tasks") == {"a": 1, "m": 5, "n": 5}
    assert world.by_path("status") == {"a": "completed", "m": "failed", "n": "cancelled"}
    assert world.tasks("m", "status") == [*["completed"] * 4, "failed"]
    assert world.tasks("n", "status") == [*["completed"] * 4, "cancelled"]
    assert world.tasks("n", "output") == [10, 10, 10, 10, None]
    assert_log_is_sound(world, dagster_run_id)


@pytest.mark.parametrize("batch_size", [None, 1, 2])
def test_a_pipeline_of_maps_completes(world: World, batch_size: int | None) -> None:
    world.define(
        Flow("f")
        .map("m", handler="echo", batch_size=batch_size)
        .map("n", handler="echo", depends_on="m", pipelined=True)
        .map("o", handler="flaky", depends_on="n", pipelined=True)
    )
    dagster_run_id = world.run("f", {"flaky": flaky, "echo": echo}, [1, 1, 1])
    world.settle()
    assert world.one("runs")["output"] == {"o": [10, 10, 10]}
    assert set(world.by_path("status").values()) == {"completed"}
    assert world.attempts("n") == [(index, 1, "completed") for index in range(3)]
    assert_log_is_sound(world, dagster_run_id)


def test_an_empty_pipeline_has_no_attempts(world: World) -> None:
    world.define(
        Flow("f")
        .map("m", handler="echo", start_delay=1)
        .map("n", handler="echo", depends_on="m", pipelined=True)
    )
    dagster_run_id = world.run("f", {"echo": echo}, [])
    world.settle()
    assert world.by_path("status") == {"m": "completed", "n": "completed"}
    assert world.sql("select from pgflow.node_executions") == []
    assert_log_is_sound(world, dagster_run_id)


def test_a_step_that_may_not_run_has_no_attempt(world: World) -> None:
    world.define(Flow("f").step("a", if_={"go": 1}, when_unmet="fail", start_delay=1))
    dagster_run_id = world.run("f", {"a": echo})
    world.settle()
    assert world.by_path("status") == {"a": "failed"}
    assert world.sql("select from pgflow.node_executions") == []
    assert_log_is_sound(world, dagster_run_id)


def test_rebuild_brings_attempts_back(world: World) -> None:
    world.define(Flow("f").map("m", batch_size=2, max_attempts=2, base_delay=0))
    world.run("f", {"m": flaky}, [1, 2, 3, 4])
    world.settle()
    before = world.snapshot()["node_executions"]
    assert len(before) == 6
    world.sql("delete from pgflow.node_executions where attempt = 2")
    world.sql("update pgflow.node_executions set duration_ms = 0, worker_id = 'nobody'")
    rebuild(world.instance, world.store)
    assert world.snapshot()["node_executions"] == before
