"""Where the skip of a step began, and what decided that."""

from collections.abc import Iterable, Mapping

from dagster_pgflow.model.run_state import StepRow
from dagster_pgflow.projection.layout.layout import Layout
from dagster_pgflow.step_path import StepPath


class Skips:
    """The skips of a run that nobody executes any more.

    Args:
        layout: Where everything stands in it.
        reported: Where each skip began, as far as ops said: they know nothing of what lies before
            the steps that they depend on.
        rows: The steps.
    """

    def __init__(
        self, layout: Layout, reported: Mapping[str, str], rows: Iterable[StepRow]
    ) -> None:
        self._places = layout.steps
        self._reported = reported
        self._skipped = {row.step_path: row for row in rows if row.status == "skipped"}

    def began_at(self, path: StepPath) -> StepPath | None:
        """Return the step where the skip of a step began; none if it was not skipped."""
        if path not in self._skipped:
            return None
        seen = {path}
        while (before := self._before(path)) is not None and before not in seen:
            seen.add(before)
            path = before
        return path

    def left_out_by(self, path: StepPath) -> tuple[str, ...]:
        """Return the steps that decided not to go to a step: branches, loops, failures.

        One that was skipped itself decided nothing.
        """
        row, place = self._skipped.get(path), self._places.get(path)
        if row is None or row.skip_reason != "not_taken" or place is None:
            return ()
        return tuple(
            str(dep)
            for dep in place.needs
            if dep not in self._skipped and place.path.slug in self._places[dep].step.routed
        )

    def _before(self, path: StepPath) -> StepPath | None:
        """Return the step whose skip is why another one was skipped; none if it began there."""
        reported = StepPath(self._reported.get(path, path))
        if reported != path:
            return reported if reported in self._skipped else None
        if self._skipped[path].skip_reason in ("condition_unmet", "handler_failed"):
            return None
        place = self._places.get(path)
        if place is None or self.left_out_by(path):
            return None
        return next((dep for dep in place.needs if dep in self._skipped), None)
