"""What a run has done that did not come to its end, and the runs that it goes on with.

Dagster's event log says it. What counts is the newest run that was to execute a step: one that
began again with what feeds a step, made what stood behind worthless.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

import dagster as dg

from dagster_pgflow.compat import (
    ExecutionPlanSnapshot,
    ExecutionStepSnap,
    KnownExecutionState,
    PastExecutionState,
    ResolvedFromDynamicStepHandle,
    StepHandle,
    StepOutputHandle,
)
from dagster_pgflow.errors import ResumptionRefused
from dagster_pgflow.names import RESULT_OUTPUT, is_collector
from dagster_pgflow.runtime.op_outcomes import failed_outcome
from dagster_pgflow.runtime.op_reports import report_in

PAGE = 1000
_READ = {
    dg.DagsterEventType.STEP_START,
    dg.DagsterEventType.STEP_RESTARTED,
    dg.DagsterEventType.STEP_OUTPUT,
    dg.DagsterEventType.STEP_SUCCESS,
    dg.DagsterEventType.STEP_FAILURE,
}

Outputs = tuple[StepOutputHandle, ...]


@dataclass(frozen=True)
class Past:
    """What has been done so far.

    Attributes:
        runs: The runs that did it, oldest first.
        done: What the steps sent that are done, by their keys in Dagster.
        done_in: The run that did each.
    """

    runs: tuple[str, ...]
    done: Mapping[str, Outputs]
    done_in: Mapping[str, str]

    @property
    def sent(self) -> frozenset[StepOutputHandle]:
        """What the steps that are done have sent."""
        return frozenset(output for sent in self.done.values() for output in sent)

    def state(
        self, plan: ExecutionPlanSnapshot, executed: Collection[str] = ()
    ) -> KnownExecutionState:
        """Return the same as Dagster wants to know it from a run that goes on.

        Args:
            plan: The plan of the job, which says what may fan out.
            executed: The steps that this run executes.
        """
        before: PastExecutionState | None = None
        for run_id in self.runs:
            produced = {
                output
                for key, sent in self.done.items()
                if self.done_in[key] == run_id
                for output in sent
            }
            before = PastExecutionState(run_id, produced, before)
        fanned_out = {
            step.key: mapped
            for step in plan.steps
            if step.key in self.done and step.key not in executed
            if (mapped := _mapping_keys(step, self.done[step.key]))
        }
        return KnownExecutionState(dynamic_mappings=fanned_out, parent_state=before)


def past_of(instance: dg.DagsterInstance, run: dg.DagsterRun) -> Past:
    """Return what a run has done, and those that it goes on with.

    Args:
        instance: The Dagster instance.
        run: The run; it is over.

    Raises:
        ResumptionRefused: A run that it goes on with was deleted.
    """
    done: dict[str, Outputs] = {}
    done_in: dict[str, str] = {}
    counts = _Counts()
    runs = _from_first_to_last(instance, run)
    for one in runs:
        executed = None if one is runs[0] else frozenset(one.step_keys_to_execute or ())
        done = {key: sent for key, sent in done.items() if not _is_among(key, executed)}
        own = _done_in(instance, one.run_id, counts)
        done |= own
        done_in |= dict.fromkeys(own, one.run_id)
    done = {key: sent for key, sent in done.items() if key not in counts.in_vain}
    return Past(tuple(one.run_id for one in runs), done, done_in)


@dataclass
class _Counts:
    """Map steps of which so many elements may fail, and no more.

    Their ops are done whatever fails in them; only what counts the failures fails. Counting again
    would come to the same, so the elements that failed get another chance.

    Attributes:
        bearing: The step of each op that is done although elements of it failed.
        exceeded: The steps of which too many failed.
    """

    bearing: dict[str, str] = field(default_factory=dict)
    exceeded: set[str] = field(default_factory=set)

    @property
    def in_vain(self) -> set[str]:
        """The ops that are done and yet to be done again."""
        return {key for key, step in self.bearing.items() if step in self.exceeded}

    def note(self, event: dg.DagsterEvent) -> None:
        """Take in what an op says that sent its output, or failed."""
        key = event.step_key or ""
        collects = is_collector(key.partition("[")[0])
        if event.event_type is dg.DagsterEventType.STEP_FAILURE:
            if collects and (step := failed_outcome(event).get("step")):
                self.exceeded.add(step)
            return
        told = report_in(event.step_output_data.metadata) or {}
        self.bearing.pop(key, None)
        if collects:
            self.exceeded.discard(told.get("step", ""))
        elif any(task["status"] == "failed" for task in told.get("tasks", ())):
            self.bearing[key] = told["step"]


def _from_first_to_last(instance: dg.DagsterInstance, run: dg.DagsterRun) -> list[dg.DagsterRun]:
    """Return a run behind those that it goes on with; one that executes all goes on with none."""
    runs = [run]
    while run.parent_run_id is not None and run.step_keys_to_execute is not None:
        before = instance.get_run_by_id(run.parent_run_id)
        if before is None:
            raise ResumptionRefused(
                f"Run {run.run_id} goes on with run {run.parent_run_id}, which Dagster does not"
                " have any more, so nobody knows what is done; start a new run."
            )
        run = before
        runs.insert(0, run)
    return runs


def _is_among(key: str, executed: frozenset[str] | None) -> bool:
    """Say whether a step is among those that a run executes: itself, or as one of all mapped."""
    if executed is None or key in executed:
        return True
    handle = StepHandle.parse_from_key(key)
    if not isinstance(handle, ResolvedFromDynamicStepHandle):
        return False
    return handle.unresolved_form.to_key() in executed


def _done_in(instance: dg.DagsterInstance, run_id: str, counts: _Counts) -> dict[str, Outputs]:
    """Return what the steps sent that a run executed to their ends."""
    sent: dict[str, list[StepOutputHandle]] = {}
    done: dict[str, Outputs] = {}
    for event in _events(instance, run_id):
        key = event.step_key or ""
        match event.event_type:
            case dg.DagsterEventType.STEP_OUTPUT:
                if event.step_output_data.output_name == RESULT_OUTPUT:
                    counts.note(event)
                sent.setdefault(key, []).append(event.step_output_data.step_output_handle)
            case dg.DagsterEventType.STEP_SUCCESS:
                done[key] = tuple(dict.fromkeys(sent.pop(key, [])))
            case dg.DagsterEventType.STEP_FAILURE:
                counts.note(event)
            case _:
                # It begins, or begins anew: what was sent before does not count.
                sent.pop(key, None)
                done.pop(key, None)
    return done


def _events(instance: dg.DagsterInstance, run_id: str) -> Iterator[dg.DagsterEvent]:
    cursor: str | None = None
    while True:
        page = instance.get_records_for_run(run_id, cursor, _READ, limit=PAGE)
        for record in page.records:
            event = record.event_log_entry.dagster_event
            if event is not None:
                yield event
        if not page.has_more:
            return
        cursor = page.cursor


def _mapping_keys(step: ExecutionStepSnap, sent: Outputs) -> dict[str, list[str]]:
    """Return what a step fanned out, which may be nothing, by the names of its outputs."""
    return {
        output.name: [
            one.mapping_key for one in sent if one.output_name == output.name and one.mapping_key
        ]
        for output in step.outputs
        if output.properties is not None and output.properties.is_dynamic
    }
