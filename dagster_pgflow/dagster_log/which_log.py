"""Which Dagster this is, beside others that work with the same store."""

import dagster as dg


def log_of(instance: dg.DagsterInstance) -> str | None:
    """Return the id that the run storage of an instance has given to itself.

    It is kept there, so it is the same in all processes, stays when runs are deleted or wiped, and
    is another one where the storage is.

    Args:
        instance: The Dagster instance.

    Returns:
        The id; `None` where a storage that is not of Dagster 1.13 itself has none.
    """
    named = getattr(instance.run_storage, "get_run_storage_id", None)
    if named is None:
        return None
    # The first call may make it, at the same moment as that of another process.
    named()
    return str(named())
