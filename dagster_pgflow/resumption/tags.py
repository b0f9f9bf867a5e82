"""The tags of a run that goes on with another one."""

import dagster as dg

from dagster_pgflow.launching.compat import (
    HIDDEN_TAG_PREFIX,
    PARENT_RUN_ID_TAG,
    RESUME_RETRY_TAG,
    ROOT_RUN_ID_TAG,
    TAGS_TO_MAYBE_OMIT_ON_RETRY,
)
from dagster_pgflow.names import HIDDEN_TAGS, TAG_WAITING

_OF_THAT_RUN_ALONE = {*TAGS_TO_MAYBE_OMIT_ON_RETRY, TAG_WAITING}


def first_of(run: dg.DagsterRun) -> str:
    """Return the run that a run and those before it began as."""
    return run.root_run_id or run.run_id


def tags_of_next(before: dg.DagsterRun) -> dict[str, str]:
    """Return the tags of a run that goes on with another one, which Dagster's web UI reads.

    They are those of the other, but for what says how that was launched and how it ended: which
    process had it is no news of another one.

    Args:
        before: The other run.
    """
    kept = {
        key: value
        for key, value in before.tags.items()
        if key.startswith(HIDDEN_TAGS)
        or not (key in _OF_THAT_RUN_ALONE or key.startswith(HIDDEN_TAG_PREFIX))
    }
    return {
        **kept,
        PARENT_RUN_ID_TAG: before.run_id,
        ROOT_RUN_ID_TAG: first_of(before),
        RESUME_RETRY_TAG: "true",
    }
