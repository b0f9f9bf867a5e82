"""Why a run that its cursor speaks of is not in this Dagster."""

from typing import Final

DELETED: Final = "The run was deleted in Dagster before it ended."

DELETED_OR_ELSEWHERE: Final = (
    "The run was deleted in Dagster before it ended, or another Dagster has it, which serves this"
    " database, too; `dagster-pgflow doctor` tells."
)
"""Of a run of which nobody has said which Dagster has it: older code did not."""

GONE: Final = (
    "The Dagster that had the run has not been heard of for an hour, and this one does not have it."
)


def lost_because(log: str | None, own_log: str | None) -> str:
    """Return what to say of a run that is not in this Dagster, and that no other one looks after.

    Args:
        log: Which Dagster has it, as far as that is known.
        own_log: Which one this is.
    """
    if log is None or own_log is None:
        return DELETED_OR_ELSEWHERE
    return DELETED if log == own_log else GONE
