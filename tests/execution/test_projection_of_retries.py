"""The rows of runs that go on with others: whole, and whole again however they are made anew."""

from typing import Any

import dagster as dg
import pytest

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.projection.sync.projector import rebuild
from tests.execution.interrupted import (
    End,
    Interruption,
    execute,
    first_run,
    going_on,
)
from tests.execution.projecting import World, assert_states_add_up, world

__all__ = ["world"]

LARGE = "x" * 100_000
"""No event of Dagster holds it, so it is read where it is stored."""

ONE = Flow("one").step("x", handler="echo")
FLOW = (
    Flow("f")
    .step("a", handler="listed")
    .subflow("s", ONE, depends_on="a")
    .subflow("each", ONE, depends_on="a", over="a", mode="run")
    .map("m", handler="in_map", depends_on="a")
    .step("z", handler="at_the_end", depends_on=["m", "s", "each"])
)


class Retried:
    """A run that is interrupted in a map, goes on, is interrupted in its last step, and goes on."""

    def __init__(self, world: World, ends: list[End]) -> None:
        world.define(ONE, FLOW)
        in_map, in_last = [Interruption(end, 10**9) for end in ends]

        def ended_by(interruption: Interruption, value: Any) -> Any:
            if not interruption.has_come:
                interruption.come()
            return value

        handlers = {
            "echo": lambda value: value,
            "listed": lambda _: [LARGE, LARGE],
            "in_map": lambda value: ended_by(in_map, value),
            "at_the_end": lambda value: ended_by(in_last, value),
        }
        job = world.job("f", handlers)
        run = first_run(world.instance, job, {"inputs": {"flow_input": {}}})
        self.runs = [execute(world.instance, job, run, in_map)]
        for interruption in (in_last, None):
            before = self.runs[-1]
            assert not before.is_success
            run = going_on(world.instance, job, before)
            self.runs.append(execute(world.instance, job, run, interruption))


@pytest.mark.parametrize("ends", [["killed", "failed"], ["failed", "cancelled"]])
def test_rows_of_a_run_that_went_on_twice_stay_whole_without_the_runs_before(
    world: World, ends: list[End]
) -> None:
    runs = Retried(world, ends).runs
    assert runs[-1].is_success
    world.settle()
    row = world.one("runs", f"run_id = '{runs[-1].run_id}'")
    assert row["output"]["z"]["m"] == [LARGE, LARGE]
    assert_states_add_up(world)
    before = world.snapshot()
    for run in (None, *runs):
        if run is not None:
            world.instance.delete_run(run.run_id)
        assert rebuild(world.instance, world.store).problems == []
        assert differences(before, world.snapshot()) == []


def differences(before: Any, after: Any) -> list[str]:
    """Return the names of tables that are not the same; their rows are too large to be shown."""
    return [table for table in before if after[table] != before[table]]


def test_a_run_of_which_only_the_end_is_missing_ends(world: World) -> None:
    world.define(Flow("f").step("a", "listed").map("m", "echo", depends_on="a"))
    handlers = {"echo": lambda value: value, "listed": lambda _: [1, 2]}
    job = world.job("f", handlers)
    run = interrupted_at_its_end(world, job)
    again = going_on(world.instance, job, run)
    assert again.step_keys_to_execute == []
    assert execute(world.instance, job, again).is_success
    world.settle()
    row = world.one("runs", f"run_id = '{again.run_id}'")
    assert (row["status"], row["output"]) == ("completed", {"m": [1, 2]})
    assert world.by_path("status") == {"a": "completed", "m": "completed"}
    assert_states_add_up(world)


def interrupted_at_its_end(world: World, job: dg.JobDefinition) -> dg.DagsterRun:
    """Run a job, and kill it before the event that would end it."""
    config: dict[str, Any] = {"inputs": {"flow_input": {}}}
    whole = Interruption("killed", 10**9)
    run = execute(world.instance, job, first_run(world.instance, job, config), whole)
    assert run.is_success
    cut = Interruption("killed", whole.seen - 1)
    run = execute(world.instance, job, first_run(world.instance, job, config), cut)
    assert not run.is_success
    return run
