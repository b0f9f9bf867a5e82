"""Runs that wait, in real Dagster and in this process: begun, gone on with, as often as needed.

waiting = WaitingRun(Flow("f").approval("ask", prompt="Well?").step("then", "echo", ...))
waiting.start({"x": 1})
waiting.waits.answer("ask", True)
waiting.go_on()
assert waiting.executed == ["ask", "then"]
"""

import json
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

import dagster as dg
from dagster._core.execution.api import execute_run

from dagster_pgflow.compat import (
    ExecutionPlanSnapshot,
    InMemoryJob,
    KnownExecutionState,
    create_execution_plan,
    snapshot_from_execution_plan,
)
from dagster_pgflow.compiler.emit_job import JobEmitter, JobSettings
from dagster_pgflow.dagster_log.op_reports import report_in
from dagster_pgflow.in_process.outputs import InMemoryIOManager, KeptKey, OutputsInMemory
from dagster_pgflow.json_values.sealed import seal
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.names import (
    FLOW_INPUT,
    IO_MANAGER_KEY,
    PGFLOW_KEY,
    RESULT_OUTPUT,
    TAG_CONTINUATION,
    TAG_FLOW,
    TAG_RUN_ID,
    continuation_id,
)
from dagster_pgflow.reports.report import OpReport, StepHeld, StepWaiting
from dagster_pgflow.resumption.inside import left_of
from dagster_pgflow.runtime.handlers import HandlerRegistry
from dagster_pgflow.runtime.values import from_wire
from tests.execution.harness import BUILT_IN, Handlers
from tests.waits_in_memory import WaitsInMemory


class StoreInMemory(WaitsInMemory, OutputsInMemory):
    """Keeps waits, outputs and what ops remember in this process."""

    def __init__(self) -> None:
        WaitsInMemory.__init__(self)
        OutputsInMemory.__init__(self)


class WaitingRun:
    """One run of ours, and the Dagster runs that carry it.

    Args:
        flow: The flow.
        others: The flows that it contains.
        handlers: Functions by handler name, besides those that are always there.
        resource: The resource `pgflow`, where it is not that of tests.

    Attributes:
        instance: The Dagster instance.
        waits: What keeps the waits.
        runs: The Dagster runs, oldest first.
    """

    def __init__(
        self,
        flow: Flow,
        others: Iterable[Flow] = (),
        handlers: Handlers | None = None,
        resource: Any = None,
    ) -> None:
        self.instance = dg.DagsterInstance.ephemeral()
        self.waits = StoreInMemory()
        io_manager = InMemoryIOManager(self.waits)
        resources = {PGFLOW_KEY: resource or self.waits, IO_MANAGER_KEY: io_manager}
        registry = HandlerRegistry.collect([{**BUILT_IN, **(handlers or {})}])
        flows = {known.slug: known for known in (*others, flow)}
        emitter = JobEmitter(flows, registry, JobSettings(resources, dg.in_process_executor))
        self._job = emitter.job(flow.slug, {TAG_FLOW: flow.slug})
        self.runs: list[dg.DagsterRun] = []

    def start(self, flow_input: Any = None) -> dg.DagsterRunStatus:
        """Begin; return how the Dagster run ends."""
        config = {"inputs": {FLOW_INPUT: seal(flow_input)}}
        run = self.instance.create_run_for_job(
            self._job, run_config=config, tags=self._job.run_tags
        )
        return self._execute(run)

    def go_on(self) -> dg.DagsterRunStatus:
        """Go on; return how the further Dagster run ends."""
        run = further_run(self.instance, self._job, self.runs)
        return self._execute(run)

    def answer_and_go_on(self, **answers: Any) -> dg.DagsterRunStatus:
        """Answer the steps that wait, by slug, and go on."""
        for slug, answer in answers.items():
            self.waits.answer(slug, answer)
        return self.go_on()

    @property
    def executed(self) -> list[str]:
        """The ops that the newest Dagster run executed."""
        return sorted(self._started_in(self.runs[-1].run_id))

    def executed_inside(self) -> list[str]:
        """The ops that the newest run inside the others executed."""
        inside = [run for run in self.instance.get_runs() if run.run_id not in self._own]
        newest = max(inside, key=self._position_of)
        return sorted(self._started_in(newest.run_id))

    @property
    def waiting(self) -> list[str]:
        """The steps that wait at the end of the newest Dagster run."""
        return sorted(str(one.step) for one in self._reports() if isinstance(one, StepWaiting))

    @property
    def held(self) -> list[str]:
        """The ops that are held at the end of the newest Dagster run."""
        reports = self._reports_by_op()
        return sorted(key for key, report in reports.items() if isinstance(report, StepHeld))

    def output(self, step_key: str) -> Any:
        """Return what an op sent last."""
        for run in reversed(self.runs):
            text = self.waits.texts.get(KeptKey(run.run_id, step_key))
            if text is not None:
                return from_wire(json.loads(text))
        raise KeyError(step_key)

    def events(self, run: dg.DagsterRun | None = None) -> list[dg.DagsterEvent]:
        """Return the events of a Dagster run: the newest without one."""
        found = self.instance.all_logs((run or self.runs[-1]).run_id)
        return [entry.dagster_event for entry in found if entry.dagster_event is not None]

    @property
    def error(self) -> str:
        """What failed the newest Dagster run."""
        [failed] = [event for event in self.events() if event.is_step_failure]
        told: Any = failed.step_failure_data.user_failure_data
        return str(told.description)

    @property
    def logged(self) -> list[str]:
        """What ops wrote into the log of the newest Dagster run."""
        found = self.instance.all_logs(self.runs[-1].run_id)
        return [entry.user_message for entry in found if entry.dagster_event is None]

    @property
    def _own(self) -> set[str]:
        return {run.run_id for run in self.runs}

    def _position_of(self, run: dg.DagsterRun) -> float:
        return self.instance.all_logs(run.run_id)[0].timestamp

    def _started_in(self, run_id: str) -> list[str]:
        events = [entry.dagster_event for entry in self.instance.all_logs(run_id)]
        return [event.step_key or "" for event in events if event and event.is_step_start]

    def _reports(self) -> list[OpReport]:
        return list(self._reports_by_op().values())

    def _reports_by_op(self) -> dict[str, OpReport]:
        found: dict[str, OpReport] = {}
        for event in self.events():
            if event.is_successful_output and event.step_output_data.output_name == RESULT_OUTPUT:
                report = report_in(event.step_output_data.metadata)
                if report is not None:
                    found[event.step_key or ""] = report
        return found

    def _execute(self, run: dg.DagsterRun) -> dg.DagsterRunStatus:
        execute_run(InMemoryJob(self._job), run, self.instance)
        over = self.instance.get_run_by_id(run.run_id)
        assert over is not None
        self.runs.append(over)
        return over.status


def further_run(
    instance: dg.DagsterInstance, job: dg.JobDefinition, runs: Sequence[dg.DagsterRun]
) -> dg.DagsterRun:
    """Create the Dagster run that goes on with a run.

    Args:
        instance: The Dagster instance.
        job: The job of the flow.
        runs: The Dagster runs that it had so far, oldest first.
    """
    before = runs[-1]
    first = UUID(runs[0].tags.get(TAG_RUN_ID, runs[0].run_id))
    left = left_of(instance, before, lambda state: _planned(job, before, state))
    return instance.create_run_for_job(
        job,
        run_id=str(continuation_id(first, len(runs))),
        execution_plan=_plan(job, before, left.state, list(left.step_keys)),
        run_config=before.run_config,
        tags={**before.tags, TAG_RUN_ID: str(first), TAG_CONTINUATION: str(len(runs))},
        parent_run_id=before.run_id,
        root_run_id=before.root_run_id or before.run_id,
        remote_job_origin=before.remote_job_origin,
        job_code_origin=before.job_code_origin,
    )


def _planned(
    job: dg.JobDefinition, run: dg.DagsterRun, state: KnownExecutionState | None
) -> ExecutionPlanSnapshot:
    return snapshot_from_execution_plan(_plan(job, run, state), job.get_job_snapshot_id())


def _plan(
    job: dg.JobDefinition,
    run: dg.DagsterRun,
    state: KnownExecutionState | None,
    keys: list[str] | None = None,
) -> Any:
    return create_execution_plan(
        InMemoryJob(job), run.run_config, step_keys_to_execute=keys, known_state=state
    )
