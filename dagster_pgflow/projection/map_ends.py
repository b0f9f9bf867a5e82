"""How the map steps of a run come to their ends: when all their ops are over, or are judged."""

from dataclasses import dataclass

from dagster_pgflow.model.run_state import SkipReason
from dagster_pgflow.projection.layout import Layout, node_and_index
from dagster_pgflow.projection.outlook import Outcome, skip_of
from dagster_pgflow.projection.unfolding import Unfolding
from dagster_pgflow.runtime.mapping import batch_size_for


@dataclass
class _Progress:
    tasks: int = 0
    batches: int = 0
    done: int = 0
    skip: tuple[SkipReason, str] | None = None
    is_cancelled: bool = False

    def add(self, outcome: Outcome, path: str) -> None:
        self.skip = self.skip or skip_of(outcome, path)
        self.is_cancelled = self.is_cancelled or outcome["status"] == "cancelled"


class MapEnds:
    """How far the map steps of a run are.

    Args:
        layout: Where everything stands.
        unfolding: What has begun and ended so far.
    """

    def __init__(self, layout: Layout, unfolding: Unfolding) -> None:
        self._layout = layout
        self._unfolding = unfolding
        self._maps: dict[str, _Progress] = {}

    def announce(self, path: str, tasks: int, batches: int) -> None:
        """Note how many elements a map step has, and how many ops."""
        self._maps[path] = _Progress(tasks, batches)

    def add(self, path: str, outcome: Outcome) -> None:
        """Note that an op of a map step is over; with the last one the step is."""
        progress = self._maps.setdefault(path, _Progress())
        progress.done += 1
        progress.add(outcome, path)
        is_cancelled = outcome["status"] == "cancelled"
        if progress.done == progress.batches or (is_cancelled and not progress.batches):
            completes = not (progress.skip or progress.is_cancelled)
            if not (completes and self._layout.steps[path].is_judged_apart):
                self._finish(path, progress)

    def judge(self, path: str, outcome: Outcome) -> None:
        """Tell how a map step ends whose failures were counted when all of it was done."""
        progress = self._maps.setdefault(path, _Progress())
        progress.add(outcome, path)
        self._finish(path, progress)

    def finish_unannounced(self) -> None:
        """Finish the map steps of a completed run whose batches nobody announced."""
        for path, progress in self._maps.items():
            is_open = progress.batches == 0 and progress.done > 0
            if is_open and not self._layout.steps[path].is_judged_apart:
                self._finish(path, progress)

    def indexes(self, path: str, step_key: str) -> range:
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
        size = batch_size_for(batched_as, progress.tasks)
        start = int(key) * size
        return range(start, min(start + size, progress.tasks))

    def _finish(self, path: str, progress: _Progress) -> None:
        if progress.is_cancelled:
            self._unfolding.cancel_step(path)
        elif progress.skip:
            self._unfolding.skip_step(path, *progress.skip)
        else:
            self._unfolding.complete_step(path, {})
