"""How the map steps of a run come to their ends: when all their ops are over, or are judged."""

from dataclasses import dataclass

from dagster_pgflow.dagster_log.step_keys import node_and_index
from dagster_pgflow.model.steps import MapStep
from dagster_pgflow.projection.layout.layout import Layout
from dagster_pgflow.projection.translate.run_lifecycle import RunLifecycle
from dagster_pgflow.projection.translate.skips import Skip, skip_in
from dagster_pgflow.reports.earlier import batch_size_in_version_0
from dagster_pgflow.reports.report import FanOut, StepCancelled, StepEnd, StepSkipped
from dagster_pgflow.step_path import StepPath


@dataclass
class _Progress:
    tasks: int = 0
    batches: int = 0
    done: int = 0
    batch_size: int | None = None
    skip: Skip | None = None
    is_cancelled: bool = False

    def add(self, report: StepEnd | None) -> None:
        if isinstance(report, StepSkipped) and self.skip is None:
            self.skip = skip_in(report)
        self.is_cancelled = self.is_cancelled or isinstance(report, StepCancelled)


class MapEnds:
    """How far the map steps of a run are.

    Args:
        layout: Where everything stands.
        lifecycle: What has begun and ended so far.
    """

    def __init__(self, layout: Layout, lifecycle: RunLifecycle) -> None:
        self._layout = layout
        self._lifecycle = lifecycle
        self._maps: dict[StepPath, _Progress] = {}

    def announce(self, path: StepPath, sent: FanOut) -> None:
        """Note how many elements a map step has, and how many ops."""
        self._maps[path] = _Progress(sent.tasks, sent.batches, batch_size=sent.batch_size)

    def add(self, path: StepPath, report: StepEnd | None) -> None:
        """Note that an op of a map step is over; with the last one the step is."""
        progress = self._maps.setdefault(path, _Progress())
        progress.done += 1
        progress.add(report)
        is_cancelled = isinstance(report, StepCancelled)
        if progress.done == progress.batches or (is_cancelled and not progress.batches):
            completes = not (progress.skip or progress.is_cancelled)
            if not (completes and self._layout.steps[path].is_judged_apart):
                self._finish(path, progress)

    def judge(self, path: StepPath, report: StepEnd) -> None:
        """Write how a map step ends whose failures were counted when all of it was done."""
        progress = self._maps.setdefault(path, _Progress())
        progress.add(report)
        self._finish(path, progress)

    def finish_unannounced(self) -> None:
        """Finish the map steps of a completed run whose batches nobody announced."""
        for path, progress in self._maps.items():
            is_open = progress.batches == 0 and progress.done > 0
            if is_open and not self._layout.steps[path].is_judged_apart:
                self._finish(path, progress)

    def indexes(self, path: StepPath, step_key: str) -> range:
        """Return the indexes of the tasks that a Dagster step works on, empty when unknown."""
        place = self._layout.steps[path]
        batched_as = place.batched_as
        if batched_as is None:
            return range(1)
        _, key = node_and_index(step_key)
        progress = self._maps.get(path)
        if progress is not None and place.is_whole_list:
            return range(progress.tasks)
        if progress is None or not key.isdecimal():
            return range(0)
        size = progress.batch_size or _size_before_version_1(batched_as, progress.tasks)
        start = int(key) * size
        return range(start, min(start + size, progress.tasks))

    def _finish(self, path: StepPath, progress: _Progress) -> None:
        if progress.is_cancelled:
            self._lifecycle.cancel_step(path)
        elif progress.skip:
            self._lifecycle.skip_step(path, progress.skip)
        else:
            self._lifecycle.complete_step(path, {})


def _size_before_version_1(step: MapStep, elements: int) -> int:
    """Return how large the batches of a list were, where no report says it."""
    return step.batch_size or batch_size_in_version_0(elements)
