"""May a run go on with the definitions of today, or would two versions be mixed?"""

from collections.abc import Collection, Mapping

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.guards import GUARDS
from dagster_pgflow.model.steps import Step

RETRY_FIELDS = frozenset({"description", "options", *GUARDS})
"""These may change for a step that is done: they change nothing of its output."""

BEHAVIOUR_FIELDS = frozenset(
    {
        *("handler", "params", "if_", "if_not", "run_if", "run_unless", "when_unmet"),
        *("when_exhausted", "input_schema", "output_schema", "collect_errors"),
        *("max_failures", "max_failures_percent", "pool"),
    }
)
"""These may change for a step that is not done yet; all other fields tie it to other steps."""


def what_would_mix(
    before: Mapping[str, Flow], after: Mapping[str, Flow], done: Collection[tuple[str, str]]
) -> tuple[str, str] | None:
    """Return what keeps a run from going on with other definitions.

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
        free = RETRY_FIELDS | BEHAVIOUR_FIELDS
        if _fields(old[slug], free) != _fields(new[slug], free):
            return f'step "{slug}" has another place in the flow'
        if slug in done and _fields(old[slug], RETRY_FIELDS) != _fields(new[slug], RETRY_FIELDS):
            return f'step "{slug}", which is done, was changed'
    return None


def _fields(step: Step, without: Collection[str]) -> dict[str, object]:
    """Return the fields of a step to compare; the order of its dependencies does not matter."""
    fields: dict[str, object] = {
        name: value for name, value in step if name not in without and name != "depends_on"
    }
    return {**fields, "depends_on": frozenset(step.depends_on)}
