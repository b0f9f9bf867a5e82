"""Whether Dagster can tell of a job: one that it cannot tell of keeps a location from loading.

A code server tells of everything that it serves at once, and whoever asks reads all of it or
nothing. So each job is told of alone before.
"""

import dagster as dg

from dagster_pgflow.compat import JobDataSnap, deserialize_value, serialize_value


def ensure_job_is_told(job: dg.JobDefinition) -> None:
    """Raise what Dagster raises when it tells of a job, or reads what was told.

    Dagster keeps the snapshot of a job and its id, so they are not made twice. Of what is told,
    only presets hold JSON, which might be misread; all else is text.
    """
    job.get_job_snapshot_id()
    told = JobDataSnap.from_job_def(job, include_parent_snapshot=True)
    deserialize_value(serialize_value(told.active_presets))
