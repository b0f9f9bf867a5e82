"""Keeping what steps print without processes, in a process of ours that executes runs."""

import dagster as dg

from dagster_pgflow.compute_logs.compat import LocalComputeLogManager
from dagster_pgflow.compute_logs.manager import PlainComputeLogManager


def use_plain_compute_logs(instance: dg.DagsterInstance) -> bool:
    """Exchange Dagster's own manager of an instance for one that starts no processes.

    The files are the same. It holds for this object only: what other processes read in the
    `dagster.yaml` stays, and so does any other manager, such as one that uploads to a bucket.

    Args:
        instance: The instance of this process.

    Returns:
        Whether it was exchanged.
    """
    given = instance.compute_log_manager
    if type(given) is not LocalComputeLogManager:
        return False
    plain = PlainComputeLogManager(given._base_dir, given.polling_timeout)  # noqa: SLF001
    plain.register_instance(instance)
    instance._compute_log_manager = plain  # noqa: SLF001  it has no setter
    return True
