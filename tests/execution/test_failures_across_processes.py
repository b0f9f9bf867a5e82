"""What is told of a failure where each step is a process: the same as where all are one."""

from typing import Any

import dagster as dg
import pytest

from dagster_pgflow.model.flow import Flow
from tests.execution import elsewhere
from tests.execution.projecting import World
from tests.execution.projecting_elsewhere import run_elsewhere, world

__all__ = ["world"]

HERE = "elsewhere.py"
INNER = Flow("inner", max_attempts=1).step("x", handler="charged")
FLOW = (
    Flow("f", max_attempts=1)
    .step("step", handler="charged")
    .step("again", handler="charged", max_attempts=2, base_delay=0)
    .step("list", handler="listed")
    .map("each", handler="charged", depends_on="list", batch_size=2)
    .subflow("graph", "inner")
    .subflow("apart", "inner", mode="run")
    .subflow("items", "inner", over="list", mode="run", depends_on="list")
)


def chain_of(error: Any) -> list[tuple[str, bool]]:
    """Returns the exceptions from the last to the first, and whether each has frames of ours."""
    told = []
    while error is not None:
        frames = [HERE in frame for frame in error.stack]
        told.append((error.message.strip(), bool(frames) and all(frames)))
        error = error.cause
    return told


@pytest.mark.parametrize("executor", ["in_process", "multiprocess"])
def test_what_the_handler_raised_comes_first_with_its_place_whatever_process_it_was(
    world: World, executor: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(elsewhere.EXECUTOR, executor)
    world.define(INNER, FLOW)
    run_elsewhere("f")
    world.settle()

    failures = [
        event
        for run in world.instance.get_runs()
        for event in (record.dagster_event for record in world.instance.all_logs(run.run_id))
        if event is not None and event.event_type in FAILED
    ]
    told = {
        event.step_key: chain_of(error_in(event))
        for event in failures
        if str(event.step_key).partition("[")[0] not in ("apart", "items")
    }
    assert set(told) >= {"step", "again", "graph.x", "x"}
    assert any(key and key.startswith("each[") for key in told)
    assert {tuple(chain) for chain in told.values()} == {
        (
            ("ValueError: no such card", True),
            ("LookupError: no such customer", True),
            ("KeyError: 'unknown'", True),
        )
    }

    errors = world.by_path("error_message")
    for path in ("step", "again", "each", "graph.x", "apart.x"):
        assert "raised ValueError: no such card (tests/execution/elsewhere.py:" in errors[path]
        assert errors[path].endswith(" in charged)")
    assert "ValueError: no such card (tests/execution/elsewhere.py:" in errors["apart"]
    assert "ValueError: no such card (tests/execution/elsewhere.py:" in errors["items"]
    run = world.one("runs")
    assert run["status"] == "failed"
    assert "ValueError: no such card (tests/execution/elsewhere.py:" in run["error_message"]


FAILED = (dg.DagsterEventType.STEP_FAILURE, dg.DagsterEventType.STEP_UP_FOR_RETRY)


def error_in(event: dg.DagsterEvent) -> Any:
    return event.step_failure_data.error if event.is_step_failure else event.step_retry_data.error
