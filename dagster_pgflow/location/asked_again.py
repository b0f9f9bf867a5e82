"""Definitions that a process can serve many runs with, such as a worker of Celery.

Dagster rebuilds a code location for each run, but a module is imported once in a process. What
the module called then is pinned to the first run, and may have the job of that run alone. So what
it keeps looks, each time Dagster asks for it, whether it is still what the run at hand needs.
"""

from collections.abc import Callable, Mapping
from typing import Any

import dagster as dg

from dagster_pgflow.compat import job_to_run
from dagster_pgflow.location.pinned import pinned_watermark


class RepositoryAskedAgain(dg.RepositoryDefinition):
    """A repository that makes itself anew for a run of another watermark or job.

    That of a run has its flow alone.

    Args:
        repository: How it is now.
        watermark: Of which flows that is.
        anew: Makes it as Dagster's load context asks for it.
    """

    def __init__(
        self,
        repository: dg.RepositoryDefinition,
        watermark: int,
        anew: Callable[[], dg.RepositoryDefinition],
    ) -> None:
        vars(self).update(vars(repository))
        self._watermark = watermark
        self._only_job = None if pinned_watermark() is None else job_to_run()
        self._anew = anew

    def replace_repository_load_data(
        self, reconstruction_metadata: Mapping[str, str], defs_state_info: Any
    ) -> dg.RepositoryDefinition:
        """Return the repository with load data: what Dagster does with each that it asks for."""
        if self._suits(pinned_watermark()):
            return super().replace_repository_load_data(reconstruction_metadata, defs_state_info)
        return self._anew().replace_repository_load_data(reconstruction_metadata, defs_state_info)

    def _suits(self, asked: int | None) -> bool:
        if asked is None:
            return True
        return asked == self._watermark and self._only_job in (None, job_to_run())


def asked_again(
    definitions: dg.Definitions, watermark: int | None, anew: Callable[[], dg.Definitions]
) -> dg.Definitions:
    """Return definitions that make themselves anew for another watermark or job.

    Those of a run have its job alone.

    Args:
        definitions: How they are now.
        watermark: What the process was asked for when they were made; `None` in a code server.
        anew: Makes them as Dagster's load context asks for them.
    """
    only_job = None if watermark is None else job_to_run()

    class DefinitionsAskedAgain(dg.Definitions):
        def get_repository_def(self) -> dg.RepositoryDefinition:
            asked = pinned_watermark()
            if asked is None or (asked == watermark and job_to_run() in (None, only_job)):
                return super().get_repository_def()
            return anew().get_repository_def()

    return DefinitionsAskedAgain(
        assets=definitions.assets,
        schedules=definitions.schedules,
        sensors=definitions.sensors,
        jobs=definitions.jobs,
        resources=definitions.resources,
        executor=definitions.executor,
        loggers=definitions.loggers,
        asset_checks=definitions.asset_checks,
        metadata=definitions.metadata,
        component_tree=definitions.component_tree,
    )
