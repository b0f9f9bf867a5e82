"""Why a step is skipped, as its events say it."""

from dataclasses import dataclass
from typing import Any

from dagster_pgflow.model.run_state import SkipReason
from dagster_pgflow.reports.report import StepSkipped
from dagster_pgflow.reports.told import behind_told
from dagster_pgflow.step_path import StepPath


@dataclass(frozen=True, slots=True)
class Skip:
    """Why a step is skipped.

    Attributes:
        reason: Why the step of the origin is.
        origin: The path of that step: the step itself, or one around it.
        why: The same in words; what older code reported has none.
    """

    reason: SkipReason
    origin: StepPath
    why: str = ""

    def data_of(self, path: StepPath) -> dict[str, Any]:
        """Return what the event says of a step that is skipped for that."""
        is_own = self.origin == path
        why = self.why if is_own or not self.why else behind_told(self.origin, self.why)
        data: dict[str, Any] = {"skip_reason": self.reason if is_own else "dependency_skipped"}
        return data | ({"why": why} if why else {})


def skip_in(report: StepSkipped) -> Skip:
    """Return why a step is skipped, as an op reports it."""
    return Skip(report.skip_reason, report.skipped_step, report.why)
