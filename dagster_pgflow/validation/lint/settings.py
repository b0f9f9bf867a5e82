"""What a step says has an effect."""

from collections.abc import Iterator

from dagster_pgflow.errors import Problem
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.steps import (
    ApprovalStep,
    BranchStep,
    JoinStep,
    LoopStep,
    MapStep,
    SleepStep,
    Step,
    SubflowStep,
    WaitingStep,
)
from dagster_pgflow.validation.rule import KnownFlows


def settings_have_an_effect(flow: Flow, _known: KnownFlows) -> Iterator[Problem]:
    """Look for answers to questions that never come up."""
    for step in flow.steps:
        if step.when_unmet != "skip" and not has_condition(step):
            yield Problem(
                "when-unmet-without-condition",
                f"steps.{step.slug}.when_unmet",
                f'Step "{step.slug}" says what happens when its condition does not hold, but has'
                " no condition; add one, or leave when_unmet out.",
            )
        match step:
            case SubflowStep():
                yield from _of_subflow(step)
            case BranchStep() | JoinStep() | LoopStep() if not step.needs_handler:
                yield from _without_handler(step)
            case WaitingStep() | SleepStep():
                yield from _of_waiting(step)
            case MapStep(collect_errors=True, bounds_failures=False) if (
                step.when_exhausted != "fail"
            ):
                yield Problem(
                    "setting-without-effect",
                    f"steps.{step.slug}.when_exhausted",
                    f'Map step "{step.slug}" collects the errors of its elements, so it is'
                    " never exhausted as a whole; leave when_exhausted or collect_errors out, or"
                    " say max_failures.",
                )


def has_condition(step: Step) -> bool:
    """Return whether anything but its dependencies decides if a step runs."""
    return bool(step.conditions)


def _about_attempts(step: Step) -> list[str]:
    """Return what a step says about the attempts of its handler."""
    named = list(step.options.model_dump(exclude_none=True))
    named += [name for name in ("on_timeout",) if name in step.failure_steps]
    return named if step.when_exhausted == "fail" else [*named, "when_exhausted"]


def _without_handler(step: BranchStep | JoinStep | LoopStep) -> Iterator[Problem]:
    named = _about_attempts(step)
    if named:
        advice = "leave it out" if isinstance(step, JoinStep) else "name a handler, or leave it out"
        yield Problem(
            "setting-without-effect",
            f"steps.{step.slug}",
            f'Step "{step.slug}" has no handler that could be tried or fail, so this has no'
            f" effect: {', '.join(named)}; {advice}.",
        )


def _of_waiting(step: WaitingStep | SleepStep) -> Iterator[Problem]:
    given = step.options.model_dump(exclude_none=True)
    named = [name for name in given if name != "start_delay"]
    if named:
        advice = "leave it out" if isinstance(step, SleepStep) else "say deadline, or leave it out"
        yield Problem(
            "setting-without-effect",
            f"steps.{step.slug}",
            f'Step "{step.slug}" waits and has no handler that could be tried, so this has no'
            f" effect: {', '.join(named)}; {advice}.",
        )
    if isinstance(step, ApprovalStep) and step.key is not None:
        yield Problem(
            "setting-without-effect",
            f"steps.{step.slug}.key",
            f'Approval "{step.slug}" is answered by its run and its path, so that its key has no'
            " effect; leave it out, or wait for a signal.",
        )


def _of_subflow(step: SubflowStep) -> Iterator[Problem]:
    named = _about_attempts(step)
    if named:
        yield Problem(
            "setting-without-effect",
            f"steps.{step.slug}",
            f'Step "{step.slug}" is a subflow, for which this has no effect: {", ".join(named)};'
            f' say it for flow "{step.flow}" or for steps of it.',
        )
