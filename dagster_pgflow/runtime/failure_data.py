"""What a step is told that goes on after another one failed."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from dagster_pgflow.model.steps import JoinStep, SubflowStep
from dagster_pgflow.model.steps.fields import StepBase
from dagster_pgflow.runtime.values import Failure, Skipped
from dagster_pgflow.step_errors import MembersFailed
from dagster_pgflow.step_path import StepPath

MEMBERS_KEY: Final = "join-error"
MOST_NAMED: Final = 5


def told_of(
    failed: Skipped, step: StepBase, trace: Callable[[], list[dict[str, Any]]]
) -> dict[str, Any]:
    """Return what a step finds under the slug of the one that failed.

    Args:
        failed: The failure.
        step: The step that failed.
        trace: Tells what the steps of a subflow did.
    """
    told: dict[str, Any] = {"error": failed.error}
    if isinstance(step, SubflowStep):
        return told | {"child_trace": trace()}
    failure = _known(failed, step)
    return told | {"step": failure.step} | _special(failure, step)


def laid_over_input(
    failed: Skipped, step: StepBase, trace: Callable[[], list[dict[str, Any]]]
) -> dict[str, Any]:
    """Return what a step receives that merges its input: what the one that failed had received.

    Args:
        failed: The failure.
        step: The step that failed.
        trace: Tells what the steps of a subflow did.
    """
    failure = _known(failed, step)
    received = {} if failure.received is None else failure.received.value
    told: dict[str, Any] = {"error": {"cell": failure.step, "message": failed.error}}
    if isinstance(step, SubflowStep):
        told["child_trace"] = trace()
    return {**received, **(_special(failure, step) or told)}


def refuse_failed_members(join: StepBase, path: StepPath, outputs: Mapping[str, Any]) -> None:
    """Let a join fail with those of its dependencies whose failures it catches.

    Args:
        join: A step.
        path: Its path.
        outputs: What became of its dependencies.

    Raises:
        MembersFailed: Some of them failed.
    """
    if not isinstance(join, JoinStep):
        return
    failed = {
        slug: str(output.error)
        for slug, output in outputs.items()
        if slug in join.catches and isinstance(output, Skipped) and output.error is not None
    }
    if failed:
        others = {
            slug: output
            for slug, output in outputs.items()
            if slug not in join.catches and not isinstance(output, Skipped)
        }
        named = ", ".join(f'"{slug}"' for slug in list(failed)[:MOST_NAMED])
        more = f" and {len(failed) - MOST_NAMED} more" if len(failed) > MOST_NAMED else ""
        first = next(iter(failed.values()))
        told = f'Join "{path}" fails with {named}{more}; the first one: {first}'
        raise MembersFailed(told, failed, others)


def _known(failed: Skipped, step: StepBase) -> Failure:
    """Return what is known of a failure; runs that began with older code know less."""
    return failed.failure or Failure(step.slug)


def _special(failure: Failure, step: StepBase) -> dict[str, Any]:
    """Return what is told of a failure that is more than one: too long, or that of members."""
    if failure.members:
        named = [{"cell": slug, "message": error} for slug, error in failure.members.items()]
        return {MEMBERS_KEY: named}
    if failure.timed_out and "on_timeout" in step.failure_steps:
        return {"timeout": True}
    return {}
