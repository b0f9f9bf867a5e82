"""A code location that has nothing to do with pgflow."""

import dagster as dg


@dg.op
def count_to_three() -> int:
    """Something that somebody else runs."""
    return 3


@dg.job
def foreign_job() -> None:
    """A job of somebody else's."""
    count_to_three()


defs = dg.Definitions(jobs=[foreign_job])
