"""The tables of runs that waited in a run inside one of their ops, with a real store."""

from typing import Any

import dagster as dg
from dagster._core.execution.api import execute_run

from dagster_pgflow.compat import InMemoryJob
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.step_errors import NonRetryable
from tests.execution.interrupted import execute, going_on
from tests.execution.projecting import World, assert_states_add_up, world
from tests.execution.small_flows import HANDLERS
from tests.execution.waiting_runs import further_run

__all__ = ["world"]

CHILD = (
    Flow("child")
    .step("come", "double")
    .approval("ask", prompt="${$nodes.come}?", depends_on="come")
    .step("pay", "echo", depends_on="ask")
)


class Going:
    """A run with a real store, and the Dagster runs that carry it."""

    def __init__(self, world: World, slug: str, given: Any, **more: Any) -> None:
        self.world = world
        handlers = {**HANDLERS, **more}
        run_id = world.run(slug, handlers, given)
        self._job = world.job(slug, handlers)
        self.runs = [self._run(str(run_id))]
        world.project()

    def answer(self, path: str, answer: str = "yes") -> None:
        run_id = self.world.one("runs")["run_id"]
        sql = "select pgflow.answer(%s::uuid, %s, to_jsonb(%s::text), 'kim')"
        self.world.sql(sql, str(run_id), path, answer)

    def go_on(self) -> dg.DagsterRunStatus:
        run = further_run(self.world.instance, self._job, self.runs)
        execute_run(InMemoryJob(self._job), run, self.world.instance)
        self.runs.append(self._run(run.run_id))
        self.world.project()
        return self.runs[-1].status

    def _run(self, run_id: str) -> dg.DagsterRun:
        run = self.world.instance.get_run_by_id(run_id)
        assert run is not None
        return run


def test_a_run_inside_that_waited_has_one_row_and_its_steps_one_each(world: World) -> None:
    flow = Flow("top").subflow("order", "child", mode="run").step("end", "echo", depends_on="order")
    world.define(CHILD, flow)
    going = Going(world, "top", 2)
    assert world.one("runs")["status"] == "waiting"
    assert world.by_path("status") == {
        "end": "created",
        "order": "started",
        "order.ask": "waiting",
        "order.come": "completed",
        "order.pay": "created",
    }
    going.answer("order.ask")
    assert going.go_on() is dg.DagsterRunStatus.SUCCESS
    assert world.one("runs")["status"] == "completed"
    assert set(world.by_path("status").values()) == {"completed"}
    assert world.subruns("status, subrun_path") == [("completed", "1")]
    assert_states_add_up(world)


def test_items_that_one_op_does_have_one_row_each(world: World) -> None:
    middle = Flow("middle").subflow("each", "child", over="$input", mode="run")
    top = Flow("top").subflow("lists", "middle", over="$input")
    world.define(CHILD, middle, top)
    going = Going(world, "top", [[1, 2]])
    assert world.one("runs")["status"] == "waiting"
    for index in (0, 1):
        going.answer(f"lists[0].each[{index}].ask")
        going.go_on()
    assert world.one("runs")["status"] == "completed"
    assert set(world.by_path("status").values()) == {"completed"}
    assert [status for (status,) in world.subruns("status")] == ["completed"] * 3
    assert_states_add_up(world)


def test_a_retry_behind_a_run_inside_that_waited_has_all_of_its_steps(world: World) -> None:
    flow = (
        Flow("top", max_attempts=1)
        .subflow("order", "child", mode="run")
        .step("end", "repairable", depends_on="order")
    )
    world.define(CHILD, flow)
    broken = [True]

    def repairable(value: Any) -> Any:
        if broken:
            raise ValueError("broken")
        return value

    going = Going(world, "top", 2, repairable=repairable)
    going.answer("order.ask")
    assert going.go_on() is dg.DagsterRunStatus.FAILURE
    assert world.one("runs")["status"] == "failed"
    broken.clear()
    job = world.job("top", {**HANDLERS, "repairable": repairable})
    again = execute(world.instance, job, going_on(world.instance, job, going.runs[-1]))
    assert again.is_success
    world.settle()
    statuses = world.sql(
        "select step_path, status from pgflow.step_states where run_id = %s order by step_path",
        again.run_id,
    )
    steps = ["end", "order", "order.ask", "order.come", "order.pay"]
    assert statuses == [(path, "completed") for path in steps]


def test_items_that_had_waited_and_are_done_are_whole_in_a_retry(world: World) -> None:
    broken = [True]

    def repairable(value: Any) -> Any:
        if broken and value["ask"]["answer"] == "no":
            raise NonRetryable("broken")
        return value

    child = (
        Flow("child")
        .step("come", "double")
        .approval("ask", prompt="?", depends_on="come")
        .step("pay", "repairable", depends_on="ask")
    )
    middle = Flow("middle").subflow("each", "child", over="$input", mode="run")
    world.define(child, middle, Flow("top").subflow("lists", "middle", over="$input"))
    going = Going(world, "top", [[1, 2]], repairable=repairable)
    going.answer("lists[0].each[0].ask")
    going.answer("lists[0].each[1].ask", "no")
    assert going.go_on() is dg.DagsterRunStatus.FAILURE
    job = world.job("top", {**HANDLERS, "repairable": repairable})
    broken.clear()
    again = execute(world.instance, job, going_on(world.instance, job, going.runs[-1]))
    assert again.is_success
    world.project()
    statuses = dict(
        world.sql(
            "select step_path, status from pgflow.step_states where run_id = %s", again.run_id
        )
    )
    assert {statuses[f"lists[0].each[0].{slug}"] for slug in ("come", "ask", "pay")} == {
        "completed"
    }
    # The other one began anew, and so it asks again.
    assert statuses["lists[0].each[1].ask"] == "waiting"


def test_what_lies_behind_a_failure_is_cancelled_while_other_items_wait(world: World) -> None:
    middle = (
        Flow("middle")
        .subflow("each", "child", over="$input", mode="run", on_failure="sorry")
        .step("sorry", "echo", depends_on="each")
    )
    world.define(CHILD, middle, Flow("top").subflow("lists", "middle", over="$input"))
    Going(world, "top", [[13, 1]])
    assert world.one("runs")["status"] == "waiting"
    states, place = world.by_path("status"), "lists[0].each"
    failed = {step: states[f"{place}[0].{step}"] for step in ("come", "ask", "pay")}
    assert failed == {"come": "failed", "ask": "cancelled", "pay": "cancelled"}
    waits = {step: states[f"{place}[1].{step}"] for step in ("come", "ask", "pay")}
    assert waits == {"come": "completed", "ask": "waiting", "pay": "created"}
    assert_states_add_up(world)
