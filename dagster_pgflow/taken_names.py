"""The names that other definitions of a code location have, so that no flow takes one of them."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import dagster as dg

_JOB_OF_ASSETS: Final = "__ASSET_JOB"
"""How the names of the jobs begin that Dagster 1.13 makes for all assets."""


@dataclass(frozen=True)
class TakenNames:
    """Names that are taken.

    Attributes:
        jobs: Those of jobs.
        instigators: Those of schedules and sensors, which share them.
        named: Those of jobs that schedules and sensors start without having them: Dagster refuses a
            location that has no such job.
        assets: Those of assets, each with those that it is made from; `None` where that shows only
            when Dagster loads them.
    """

    jobs: frozenset[str] = frozenset()
    instigators: frozenset[str] = frozenset()
    named: frozenset[str] = frozenset()
    assets: Mapping[dg.AssetKey, frozenset[dg.AssetKey]] | None = field(default_factory=dict)

    @property
    def absent(self) -> list[str]:
        """The names of jobs that are started, and that nobody has besides flows perhaps."""
        return sorted(self.named - self.jobs)

    def has_job(self, name: str) -> bool:
        """Return whether a job is one of these, or that of all their assets."""
        return name in self.jobs or name.startswith(_JOB_OF_ASSETS)


NO_NAMES = TakenNames()


def taken_by(definitions: dg.Definitions | None) -> TakenNames:
    """Return the names that definitions take.

    A schedule or a sensor brings the job that it starts with it, unless it only names the job.
    """
    if definitions is None:
        return NO_NAMES
    instigators: list[Any] = [*(definitions.schedules or ()), *(definitions.sensors or ())]
    started = [job for instigator in instigators for job in _started_by(instigator)]
    brought = [job for job in started if not isinstance(job, str)]
    return TakenNames(
        _names([*(definitions.jobs or ()), *brought]),
        _names(instigators),
        frozenset(job for job in started if isinstance(job, str)),
        _assets(definitions.assets or ()),
    )


def _assets(defined: Iterable[Any]) -> dict[dg.AssetKey, frozenset[dg.AssetKey]] | None:
    """Return the assets that are defined, each with those that it is made from."""
    found: dict[dg.AssetKey, frozenset[dg.AssetKey]] = {}
    for one in defined:
        match one:
            case dg.AssetsDefinition():
                found |= {key: frozenset(deps) for key, deps in one.asset_deps.items()}
            case dg.AssetSpec():
                found[one.key] = frozenset(dep.asset_key for dep in one.deps)
            case dg.SourceAsset():
                found[one.key] = frozenset()
            case _:
                return None
    return found


def _names(named: Iterable[Any]) -> frozenset[str]:
    return frozenset(thing.name for thing in named)


def _started_by(instigator: Any) -> Iterator[Any]:
    """Yield the jobs that a schedule or sensor starts, or their names."""
    match instigator:
        case dg.SensorDefinition():
            targets = instigator.targets
        case dg.ScheduleDefinition():
            targets = [instigator.target]
        case _:
            # A schedule of a job of assets, which Dagster makes when it knows the assets.
            yield instigator.job
            return
    for target in targets:
        yield target.job_def if target.has_job_def else target.job_name
