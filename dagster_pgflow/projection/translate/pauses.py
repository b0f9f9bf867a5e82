"""What of a run cannot go on for now, since a step waits, and what stands behind that."""

from collections.abc import Iterator
from typing import assert_never

from dagster_pgflow.projection.layout.layout import Layout
from dagster_pgflow.projection.translate.event_data import waiting_data
from dagster_pgflow.projection.translate.run_lifecycle import RunLifecycle
from dagster_pgflow.reports.report import StepHeld, StepPause, StepWaiting
from dagster_pgflow.step_path import StepPath


class Pauses:
    """Writes what ops report that have not come to their ends, and knows what they hold up.

    Args:
        layout: Where everything stands.
        lifecycle: What has begun and ended so far.
    """

    def __init__(self, layout: Layout, lifecycle: RunLifecycle) -> None:
        self._layout = layout
        self._lifecycle = lifecycle
        self._held: set[StepPath] = set()

    def begin_anew(self) -> None:
        """Note that the ops that were held up run once more: the run goes on."""
        self._held.clear()

    def take(self, path: StepPath | None, report: StepPause) -> None:
        """Write that a step waits; what stands behind it has not begun.

        Args:
            path: The step of the op; `None` where it is a helper.
            report: What it reported.
        """
        match report:
            case StepWaiting():
                if path is not None:
                    self._lifecycle.wait_step(path, waiting_data(report))
            case StepHeld():
                self._held.add(report.step)
                self._lifecycle.hold(report.waiting_step)
            case _:
                assert_never(report)

    def is_held(self, path: StepPath) -> bool:
        """Return whether a step stands behind one that waits, as far as that is known."""
        paused = [step for step in self._paused() if step in self._layout.steps]
        scopes = [self._layout.steps[step].scope for step in paused]
        return any(
            dep in paused or any(self._layout.is_inside(scope, dep) for scope in scopes)
            for dep in (self._before(path) if paused else ())
        )

    def _paused(self) -> Iterator[StepPath]:
        yield from self._held
        yield from self._lifecycle.waiting_steps()

    def _before(self, path: StepPath) -> Iterator[StepPath]:
        """Yield what has to be over before a step begins, or something that it lies in."""
        place = self._layout.steps[path]
        yield from place.needs
        scope = self._layout.scopes[place.scope]
        while scope.parent is not None:
            yield from self._layout.steps[scope.step].needs
            scope = self._layout.scopes[scope.parent]
