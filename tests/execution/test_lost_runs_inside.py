"""A run inside a step that is lost with its process goes on: what was done in it is not done again.

Processes die one after the other, each somewhere, and each time the run goes on by itself.
"""

import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import dagster as dg

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.runtime.context import StepContext
from tests.execution.interrupted import Interruption, execute, first_run
from tests.execution.projecting import World, assert_states_add_up, world
from tests.execution.projecting_waits import claimed, created
from tests.execution.test_against_reference import QUIET
from tests.reference.clock import without_waiting

__all__ = ["world"]

LIFE = (10, 28)
"""So many events of Dagster a process lives to see."""

CHILD = (
    Flow("child")
    .step("one", "add", produces="one")
    .step("list", "listed", depends_on="one", produces="list")
    .map("each", "add", depends_on="list", batch_size=1, produces="each/${$item}")
    .step("all", "add", depends_on=["each", "one"])
)
TOP = Flow("top", max_recoveries=1_000).subflow("sub", "child", mode="run")
RETURNED = {"sub": {"all": 9}}


class Case:
    """A run whose process dies again and again.

    Attributes:
        world: The store and Dagster.
        calls: How often which attempt of a task was made, by path, index and number.
        lost: How many processes died.
    """

    def __init__(self, world: World, flows: list[Flow]) -> None:
        world.define(*flows)
        self.world = world
        self.calls: Counter[tuple[str, int, int]] = Counter()
        self.lost = 0
        self._job = world.job("top", self._handlers())

    def begin(self, given: Any) -> dg.DagsterRun:
        config = {"inputs": {"flow_input": given}, **QUIET}
        return first_run(self.world.instance, self._job, config)

    def live_on(self, run: dg.DagsterRun | None, chance: random.Random) -> None:
        """Runs it until it ends or waits, in processes that die."""
        while run is not None:
            interruption = Interruption("killed", chance.randint(*LIFE))
            with without_waiting():
                execute(self.world.instance, self._job, run, interruption)
            self.lost += interruption.has_come
            run = self.next()

    def next(self) -> dg.DagsterRun | None:
        """Returns the Dagster run that goes on, if one is to."""
        assert self.world.project().problems == []
        # With each loss the pause before grows.
        self.world.sql("update pgflow.run_continuations set not_before = now() - interval '1 s'")
        continuation = claimed(self.world)
        return None if continuation is None else created(self.world, continuation, self._job)

    def assert_nothing_was_done_twice(self) -> None:
        attempts = self.world.sql(
            "select step_path, task_index, attempt, status from pgflow.node_executions"
        )
        completed = Counter(
            (path, index) for path, index, _, status in attempts if status == "completed"
        )
        assert set(completed.values()) == {1}
        assert [call for call, times in self.calls.items() if times > 1] == []
        assert self.calls.keys() <= {attempt[:3] for attempt in attempts}
        told = self._materialized()
        assert {key[0] for key in told} >= {"one", "list"}
        assert set(told.values()) == {1}

    def _materialized(self) -> Counter[tuple[str, Any]]:
        """Returns how often each asset was told, by its key and the task, in all Dagster runs."""
        instance = self.world.instance
        records = [one for run in instance.get_runs() for one in instance.all_logs(run.run_id)]
        events = [one.dagster_event for one in records if one.dagster_event is not None]
        told = [
            event.step_materialization_data.materialization
            for event in events
            if event.is_step_materialization
        ]
        return Counter(
            (one.asset_key.to_user_string(), one.metadata["pgflow/task_index"].value)
            for one in told
        )

    def _handlers(self) -> dict[str, Callable[..., Any]]:
        def noted(function: Callable[[Any], Any]) -> Callable[..., Any]:
            def handler(value: Any, ctx: StepContext) -> Any:
                self.calls[ctx.step_path, ctx.task_index, ctx.attempt] += 1
                return function(value)

            return handler

        return {
            "add": noted(lambda value: total(value) + 1),
            "listed": noted(lambda value: [total(value)] * 2),
        }


def total(value: Any) -> int:
    match value:
        case int():
            return value
        case list():
            return sum(map(total, value))
        case dict():
            return sum(map(total, value.values()))
        case _:
            return 0


def test_what_was_done_in_a_run_inside_is_not_done_again(world: World) -> None:
    case = Case(world, [CHILD, TOP])
    case.live_on(case.begin(1), random.Random("alone"))
    run = world.one("runs")
    assert (run["status"], run["output"]) == ("completed", RETURNED)
    assert case.lost > 2
    case.assert_nothing_was_done_twice()
    assert_states_add_up(world)
