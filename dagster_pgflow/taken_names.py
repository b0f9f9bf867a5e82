"""The names that other definitions of a code location have, so that no flow takes one of them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import dagster as dg


@dataclass(frozen=True)
class TakenNames:
    """Names that are taken.

    Attributes:
        jobs: Those of jobs.
        instigators: Those of schedules and sensors, which share them.
    """

    jobs: frozenset[str] = frozenset()
    instigators: frozenset[str] = frozenset()


NO_NAMES = TakenNames()


def taken_by(definitions: dg.Definitions | None) -> TakenNames:
    """Return the names that definitions take.

    A schedule or a sensor brings the job that it starts with it, unless it only names the job.
    """
    if definitions is None:
        return NO_NAMES
    instigators: list[Any] = [*(definitions.schedules or ()), *(definitions.sensors or ())]
    started = [job for instigator in instigators for job in _brought_by(instigator)]
    return TakenNames(_names([*(definitions.jobs or ()), *started]), _names(instigators))


def _names(named: Iterable[Any]) -> frozenset[str]:
    return frozenset(thing.name for thing in named)


def _brought_by(instigator: Any) -> Iterator[Any]:
    match instigator:
        case dg.SensorDefinition():
            targets = instigator.targets
        case dg.ScheduleDefinition():
            targets = [instigator.target]
        case _:
            # A schedule of a job of assets, which Dagster makes when it knows the assets.
            yield instigator.job
            return
    yield from (target.job_def for target in targets if target.has_job_def)
