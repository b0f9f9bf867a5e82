"""Runs that somebody or something ends, that go on, or that take more than this process."""

import json
import os
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import dagster as dg

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.names import FLOW_INPUT
from tests.execution import elsewhere
from tests.execution.harness import gives
from tests.execution.interrupted import (
    Interruption,
    execute,
    first_run,
    from_failure,
    going_on,
)
from tests.execution.projecting import World
from tests.execution.projecting_elsewhere import start_elsewhere
from tests.execution.small_flows import CHILD
from tests.execution.test_hostile_json import Deployment
from tests.polling import poll
from tests.recorded.plain_runs import HANDLERS, READER

LARGE = {"rows": [{"id": number, "name": f"row {number}"} for number in range(3000)]}
MAPPED = (
    Flow("mended", max_attempts=1)
    .step("list", **gives([1, 2, 3, 4, 5, 6]))
    .map("m", "breaks", depends_on="list", batch_size=2)
    .step("sum", "echo", depends_on="m")
)
APART = (
    Flow("parts", max_attempts=1)
    .step("list", **gives([1, 2]))
    .subflow("each", "child", depends_on="list", over="list", mode="run")
    .subflow("one", "reader", depends_on="list", input={"n": 1}, output="$nodes.read", mode="run")
    .map("m", "breaks", depends_on="list")
    .step("end", "breaks", depends_on=["each", "m"])
)
LONG = (
    Flow("long", max_attempts=1)
    .step("list", **gives(list(range(105))))
    .map("m", "breaks", depends_on="list")
    .step("sum", "echo", depends_on="m")
)
QUICK = Flow("requested").step("a", "echo").map("m", "echo")


@dataclass
class Stage:
    """Where runs are made.

    Attributes:
        world: Flows of a store and runs of a Dagster.
        folder: Where handlers in other processes look for their switches.
        is_broken: Whether the handler `breaks` does.
        at_the_third: What the third call of it does.
    """

    world: World
    folder: Path
    is_broken: bool = False
    at_the_third: Callable[[], None] | None = None
    calls: int = 0

    def breaks(self, value: Any) -> Any:
        """A handler that can be repaired."""
        self.calls += 1
        if self.calls == 3 and self.at_the_third is not None:
            self.at_the_third()
        if self.is_broken and value != 1:
            raise ValueError("broken")
        return value

    def job(self, *flows: Flow) -> dg.JobDefinition:
        """Stores flows and returns the job of the last one."""
        self.world.define(*flows)
        self.calls = 0
        return self.world.job(flows[-1].slug, {**HANDLERS, "breaks": self.breaks})

    def first(self, job: dg.JobDefinition) -> dg.DagsterRun:
        """Creates a run."""
        return first_run(self.world.instance, job, {"inputs": {FLOW_INPUT: {"n": 1}}})

    def execute(
        self, job: dg.JobDefinition, run: dg.DagsterRun, what: Interruption | None = None
    ) -> dg.DagsterRun:
        """Executes a run; an interruption comes with the third call of the handler `breaks`."""
        self.at_the_third = None if what is None else what.come
        return execute(self.world.instance, job, run, what)

    def elsewhere(self, *flows: Flow, executor: str = "in_process") -> Any:
        """Begins a run of a flow in another process."""
        self.world.define(*flows)
        for name in ("begun", "calls", "repaired", "crashes"):
            (self.folder / name).unlink(missing_ok=True)
        with patch.dict(os.environ, {elsewhere.EXECUTOR: executor}):
            return start_elsewhere(flows[-1].slug)


def fails_and_goes_on(stage: Stage, *flows: Flow, again: Callable[..., Any]) -> None:
    stage.is_broken = True
    job = stage.job(*flows)
    run = stage.execute(job, stage.first(job))
    stage.is_broken = False
    stage.execute(job, again(stage.world.instance, job, run))


def is_ended_and_goes_on(stage: Stage, *flows: Flow, end: Any, again: Callable[..., Any]) -> None:
    job = stage.job(*flows)
    run = stage.execute(job, stage.first(job), Interruption(end, 10**9))
    assert not run.is_success
    stage.execute(job, again(stage.world.instance, job, run))


def is_ended_twice(stage: Stage) -> None:
    job = stage.job(MAPPED)
    run = stage.execute(job, stage.first(job), Interruption("killed", 10**9))
    run = going_on(stage.world.instance, job, run)
    run = stage.execute(job, run, Interruption("cancelled", 25))
    stage.execute(job, going_on(stage.world.instance, job, run))


def never_begins(stage: Stage) -> None:
    stage.first(stage.job(MAPPED))


def is_marked_as_failed(stage: Stage) -> None:
    run = stage.first(stage.job(MAPPED))
    stage.world.instance.report_run_failed(run, "Nobody can launch it.")


def is_over_before_it_begins(stage: Stage) -> None:
    run = stage.first(stage.job(MAPPED))
    stage.world.instance.report_run_canceled(run)


def spills(stage: Stage) -> None:
    flow = Flow("spilled").step("a", "longest").step("b", "echo", depends_on="a")
    stage.world.define(flow)
    stage.world.run("spilled", HANDLERS, 1, spill_to="memory://recorded")


def is_requested(stage: Stage) -> None:
    stage.world.define(QUICK)
    stage.world.requests.start("requested", [1, 2])
    Deployment(stage.world).tick()


def is_requested_with_a_large_input(stage: Stage) -> None:
    stage.world.define(Flow("normal", input_schema={"required": ["rows"]}).step("a", "echo"))
    stage.world.requests.start("normal", LARGE)
    Deployment(stage.world).tick()


def is_requested_and_goes_on(stage: Stage) -> None:
    stage.is_broken = True
    job = stage.job(MAPPED)
    run_id = stage.world.requests.start("mended", {})
    stage.world.run("mended", {**HANDLERS, "breaks": stage.breaks}, run_id=run_id)
    [run] = stage.world.instance.get_runs(limit=1)
    stage.is_broken = False
    stage.execute(job, going_on(stage.world.instance, job, run))


def ends_with_runs_inside(stage: Stage) -> None:
    stage.elsewhere(*nested("quick")).wait(300)


def each_step_in_a_process(stage: Stage) -> None:
    flow = (
        Flow("processes")
        .step("a", handler="listed")
        .map("m", handler="quick", depends_on="a")
        .subflow("s", "beside", depends_on="m", mode="run")
    )
    beside = Flow("beside").step("x", handler="quick")
    stage.elsewhere(beside, flow, executor="multiprocess").wait(300)


def a_process_of_a_step_is_killed(stage: Stage) -> None:
    flow = Flow("crashing").step("a", handler="listed").step("b", handler="killed", depends_on="a")
    stage.elsewhere(flow, executor="multiprocess").wait(300)


def is_cancelled_with_runs_inside(stage: Stage) -> None:
    process = stage.elsewhere(*nested("endless"))
    poll((stage.folder / "begun").exists)
    [run] = [run for run in stage.world.instance.get_runs() if run.job_name == "nest"][:1]
    stage.world.instance.report_run_canceling(run)
    process.send_signal(signal.SIGINT)
    process.wait(300)


def the_worker_dies(stage: Stage) -> None:
    """Leaves a run that nobody has ended."""
    process = stage.elsewhere(*nested("endless"))
    poll((stage.folder / "begun").exists)
    process.kill()
    process.wait(300)


def the_worker_dies_amid_a_batch(stage: Stage) -> None:
    flow = (
        Flow("under_way")
        .step("a", handler="quick")
        .map("m", handler="stuck")
        .step("both", handler="quick", depends_on=["a", "m"])
    )
    given = {"inputs": {FLOW_INPUT: list(range(105))}}
    with patch.dict(os.environ, {elsewhere.CONFIG: json.dumps(given)}):
        process = stage.elsewhere(flow)
    poll((stage.folder / "begun").exists)
    process.kill()
    process.wait(300)


def the_worker_dies_and_dagster_knows(stage: Stage) -> None:
    the_worker_dies(stage)
    [run] = [run for run in stage.world.instance.get_runs() if run.job_name == "nest"][:1]
    stage.world.instance.report_run_failed(run, "The worker is gone.")


def nested(handler: str) -> list[Flow]:
    """Returns three flows, each but the last with the next one as a run of its own."""
    return [
        Flow("leaf_of_nest").step("x", handler=handler),
        Flow("in_nest").subflow("t", "leaf_of_nest", mode="run"),
        Flow("nest")
        .step("a", handler="listed")
        .subflow("s", "in_nest", depends_on="a", mode="run")
        .step("both", handler="quick", depends_on=["a", "s"]),
    ]


GONE = ("deleted after its end", "a run inside is deleted")
UNENDED = "deleted before its end"
DISTURBED: Mapping[str, Callable[[Stage], None]] = {
    "fails in a map, and is retried": lambda stage: fails_and_goes_on(
        stage, MAPPED, again=going_on
    ),
    "fails in a map, and goes on from failure": lambda stage: fails_and_goes_on(
        stage, MAPPED, again=from_failure
    ),
    "cancelled amid a map, and retried": lambda stage: is_ended_and_goes_on(
        stage, MAPPED, end="cancelled", again=going_on
    ),
    "cancelled amid a map, and goes on from failure": lambda stage: is_ended_and_goes_on(
        stage, MAPPED, end="cancelled", again=from_failure
    ),
    "killed amid a map, and retried": lambda stage: is_ended_and_goes_on(
        stage, MAPPED, end="killed", again=going_on
    ),
    "the store fails, and it is retried": lambda stage: is_ended_and_goes_on(
        stage, MAPPED, end="failed", again=going_on
    ),
    "killed, cancelled, and retried twice": is_ended_twice,
    "runs inside, fails, and is retried": lambda stage: fails_and_goes_on(
        stage, CHILD, READER, APART, again=going_on
    ),
    "runs inside, fails, and goes on from failure": lambda stage: fails_and_goes_on(
        stage, CHILD, READER, APART, again=from_failure
    ),
    "runs inside, cancelled, and retried": lambda stage: is_ended_and_goes_on(
        stage, CHILD, READER, APART, end="cancelled", again=going_on
    ),
    "never begins": never_begins,
    "fails before it begins": is_marked_as_failed,
    "cancelled before it begins": is_over_before_it_begins,
    "outputs in a file": spills,
    "requested": is_requested,
    "requested with a large input": is_requested_with_a_large_input,
    "requested, fails, and is retried": is_requested_and_goes_on,
    "each step in a process": each_step_in_a_process,
    "a process of a step is killed": a_process_of_a_step_is_killed,
    "cancelled with runs inside": is_cancelled_with_runs_inside,
    "cancelled amid a batch, and retried": lambda stage: is_ended_and_goes_on(
        stage, LONG, end="cancelled", again=going_on
    ),
    "killed amid a batch, and retried": lambda stage: is_ended_and_goes_on(
        stage, LONG, end="killed", again=going_on
    ),
    "its worker died": the_worker_dies,
    "its worker died amid a batch": the_worker_dies_amid_a_batch,
    **dict.fromkeys(GONE, ends_with_runs_inside),
    UNENDED: the_worker_dies,
    "its worker died, and Dagster knows": the_worker_dies_and_dagster_knows,
}
