"""The tags that say which definitions a run executes."""

from collections.abc import Mapping

import dagster as dg


def pinned_tags(instance: dg.DagsterInstance, run: dg.DagsterRun) -> Mapping[str, str]:
    """Return the tags of the job that a run executes.

    Those of the run itself may be older: a re-execution has the tags of the run that it repeats,
    and so has a run that somebody launches from the page of another one.

    Args:
        instance: The Dagster instance.
        run: The run.
    """
    if run.job_snapshot_id is None:
        return run.tags
    return dict(instance.get_job_snapshot(run.job_snapshot_id).tags)
