"""What ops report that their authors should look at, though nothing fails for it."""

from collections import defaultdict

from dagster_pgflow.dagster_log.run_events import RunEvent
from dagster_pgflow.projection.translate.run_lifecycle import RunLifecycle
from dagster_pgflow.reports.report import StepEnd
from dagster_pgflow.step_path import StepPath


class StepWarnings:
    """Writes each warning of a step once, however many ops and attempts report it.

    Args:
        lifecycle: What has begun and ended so far.
    """

    def __init__(self, lifecycle: RunLifecycle) -> None:
        self._lifecycle = lifecycle
        self._written: dict[str, set[str]] = defaultdict(set)

    def take(self, path: StepPath, run_event: RunEvent) -> None:
        """Write which conditions of a step have no answer, as far as one of its ops knows.

        What a branch or a loop decides is written with its decision, warnings included.
        """
        report = run_event.report
        for sentence in report.unanswered if isinstance(report, StepEnd) else ():
            if sentence not in self._written[path]:
                self._written[path].add(sentence)
                self._lifecycle.note("step.warned", path, {"warnings": [sentence]})
