"""The jobs of flows as of any watermark, whatever the code location was loaded with.

A version never changes, so neither does its job: those used last are kept, compiled.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import dagster as dg

from dagster_pgflow.store.pinned_flows import PinnedFlows

KEPT: Final = 300
"""A job of ten steps takes 140 kB."""


@dataclass(frozen=True)
class PinnedJob:
    """The job of one flow as of one watermark.

    Attributes:
        flows: The flow and those that it contains.
        job: Its job.
    """

    flows: PinnedFlows
    job: dg.JobDefinition


class PinnedJobs:
    """Compiles jobs and keeps those used last.

    Args:
        compiled: Compiles one, of a flow and a watermark.
    """

    def __init__(self, compiled: Callable[[str, int], PinnedJob]) -> None:
        self._compiled = compiled
        self._kept: OrderedDict[tuple[str, int], PinnedJob] = OrderedDict()

    def get(self, flow_slug: str, watermark: int) -> PinnedJob:
        """Return the job of a flow as of a watermark.

        Raises:
            UnknownFlow: There was no such flow.
            StoreError: It could not be read.
        """
        key = (flow_slug, watermark)
        if key not in self._kept:
            self._kept[key] = self._compiled(flow_slug, watermark)
            # What a run needs of it, so that a process that is forked has it.
            self._kept[key].job.get_job_snapshot_id()
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return self._kept[key]
