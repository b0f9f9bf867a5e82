"""What Dagster's queue would hold a run back for, which a run that goes around it must respect."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import dagster as dg

IN_PROGRESS: Final = (
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
)


@dataclass(frozen=True)
class DeploymentLimits:
    """The limits of the run queue in `dagster.yaml`.

    Attributes:
        most_runs: How many runs may be in progress; `None` where there is no limit.
        tag_limits: The limits for runs with certain tags.
    """

    most_runs: int | None
    tag_limits: tuple[Mapping[str, Any], ...]

    @classmethod
    def of(cls, instance: dg.DagsterInstance) -> "DeploymentLimits":
        """Return the limits of a deployment; one without a queue has none."""
        queue = instance.get_concurrency_config().run_queue_config
        if queue is None:
            return cls(None, ())
        most = queue.max_concurrent_runs
        return cls(None if most < 0 else most, tuple(queue.tag_concurrency_limits))

    def has_room(self, instance: dg.DagsterInstance) -> bool:
        """Return whether another run may be in progress."""
        if self.most_runs is None:
            return True
        filters = dg.RunsFilter(statuses=list(IN_PROGRESS))
        return instance.get_runs_count(filters) < self.most_runs

    def concern(self, tags: Mapping[str, str]) -> bool:
        """Return whether a limit is meant for runs with these tags: the queue alone can keep it."""
        return any(_is_meant(limit, tags) for limit in self.tag_limits)


def _is_meant(limit: Mapping[str, Any], tags: Mapping[str, str]) -> bool:
    """Return whether a limit counts runs with these tags.

    Its `value` is a text, or `{applyLimitPerUniqueValue: true}`, or absent for any value.
    """
    if limit["key"] not in tags:
        return False
    value = limit.get("value")
    return not isinstance(value, str) or tags[limit["key"]] == value
