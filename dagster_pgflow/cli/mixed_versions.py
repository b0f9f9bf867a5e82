"""May a run go on with the definitions of today, or would two versions be mixed?"""

from collections.abc import Collection, Mapping

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.step import Step

EFFORT = frozenset({"description", "options"})
"""What a step is told to do better, which changes nothing of what it did."""

CONDUCT = frozenset(
    {
        *("handler", "params", "if_", "if_not", "run_if", "run_unless", "when_unmet"),
        *("when_exhausted", "input_schema", "output_schema", "collect_errors"),
        *("max_failures", "max_failures_percent", "pool"),
    }
)
"""What a step that is still to be done may do in another way; all else ties it to other steps."""


def what_would_mix(
    before: Mapping[str, Flow], after: Mapping[str, Flow], done: Collection[tuple[str, str]]
) -> tuple[str, str] | None:
    """Say what keeps a run from going on with other definitions.

    Args:
        before: The flow and all that it contains, as the run has them.
        after: The same, as they are now.
        done: Steps, each by its flow and slug, whose outputs would be used again.

    Returns:
        The flow, and a part of a sentence; none when the run may go on.
    """
    for slug, flow in before.items():
        if slug not in after:
            return slug, "it was deleted"
        reason = _between(flow, after[slug], {step for of, step in done if of == slug})
        if reason is not None:
            return slug, reason
    return None


def _between(before: Flow, after: Flow, done: Collection[str]) -> str | None:
    old = {step.slug: step for step in before.steps}
    new = {step.slug: step for step in after.steps}
    for slug in (*old, *new):
        if slug not in old:
            return f'step "{slug}" was added'
        if slug not in new:
            return f'step "{slug}" was removed'
        if _told(old[slug], EFFORT | CONDUCT) != _told(new[slug], EFFORT | CONDUCT):
            return f'step "{slug}" has another place in the flow'
        if slug in done and _told(old[slug], EFFORT) != _told(new[slug], EFFORT):
            return f'step "{slug}", which is done, was changed'
    return None


def _told(step: Step, without: Collection[str]) -> dict[str, object]:
    """Return what a definition says; the order of dependencies says nothing."""
    told: dict[str, object] = {
        name: value for name, value in step if name not in without and name != "depends_on"
    }
    return {**told, "depends_on": frozenset(step.depends_on)}
