"""What has been done in Dagster's terms, and Dagster's plan of a job in ours."""

from collections.abc import Collection, Mapping

from dagster_pgflow.compat import (
    ExecutionPlanSnapshot,
    ExecutionStepInputSnap,
    ExecutionStepSnap,
    FromMultipleSources,
    KnownExecutionState,
    PastExecutionState,
    StepOutputHandle,
    UnresolvedStepHandle,
)
from dagster_pgflow.resumption.completed import CompletedSteps
from dagster_pgflow.resumption.planned import PlannedInput, PlannedStep


def planned_steps(plan: ExecutionPlanSnapshot) -> list[PlannedStep]:
    """Return the steps of a plan."""
    return [_planned(step) for step in plan.steps]


def known_state(
    past: CompletedSteps,
    plan: ExecutionPlanSnapshot,
    executed: Collection[str] = (),
    attempts: Mapping[str, int] | None = None,
) -> KnownExecutionState:
    """Return what has been done as Dagster wants to know it from a run that goes on.

    Args:
        past: What has been done.
        plan: The plan of the job, which says what may fan out.
        executed: The steps that this run executes.
        attempts: How often each was tried before in the same run of ours; what is missing, never.
    """
    before: PastExecutionState | None = None
    for run_id in past.runs:
        produced = {
            StepOutputHandle(key, output, mapping_key)
            for key, sent in past.done.items()
            if past.done_in[key] == run_id
            for output, mapping_key in sent
        }
        before = PastExecutionState(run_id, produced, before)
    fanned_out = {
        step.key: mapped
        for step in planned_steps(plan)
        if step.key in past.done and step.key not in executed
        if (mapped := _mapping_keys(step, past))
    }
    counted = {key: count for key, count in (attempts or {}).items() if key in executed}
    return KnownExecutionState(counted, fanned_out, parent_state=before)


def _mapping_keys(step: PlannedStep, past: CompletedSteps) -> dict[str, list[str]]:
    """Return what a step fanned out, which may be nothing, by the names of its outputs."""
    return {
        name: [key for output, key in past.done[step.key] if output == name and key]
        for name in step.dynamic_outputs
    }


def _planned(step: ExecutionStepSnap) -> PlannedStep:
    return PlannedStep(
        key=step.key,
        inputs=tuple(_planned_input(step_input) for step_input in step.inputs),
        is_unresolved=isinstance(step.step_handle, UnresolvedStepHandle),
        dynamic_outputs=tuple(
            output.name
            for output in step.outputs
            if output.properties is not None and output.properties.is_dynamic
        ),
    )


def _planned_input(step_input: ExecutionStepInputSnap) -> PlannedInput:
    source = step_input.source
    return PlannedInput(
        outputs=tuple(
            (output.step_key, output.output_name, output.mapping_key)
            for output in step_input.upstream_output_handles
        ),
        is_list=isinstance(source, FromMultipleSources),
        fanned_out_by=getattr(source, "resolved_by_step_key", None),
    )
