"""Writes the tables of execution of one run: its tokens, its loops and its statistics."""

from dataclasses import asdict

from dagster_pgflow.model.execution import (
    AppliedKeyRow,
    Execution,
    LoopRow,
    PendingTokenRow,
    SnapshotRow,
    WorkerRow,
)
from dagster_pgflow.store.columns import columns
from dagster_pgflow.store.database import Transaction


def write_execution(transaction: Transaction, run_id: str, execution: Execution, kept: int) -> None:
    """Write the rows; what is as it was stays untouched.

    Args:
        transaction: Writes them together with the events.
        run_id: The run.
        execution: All its rows.
        kept: How many events at the beginning of its log are as they were.
    """
    transaction.execute("delete_applied_keys", run_id=run_id, kept=kept)
    new = [row for row in execution.applied if row.sequence_num > kept]
    if new:
        transaction.execute("write_applied_keys", run_id=run_id, **columns(AppliedKeyRow, new))
    for query, kind, rows in (
        ("write_counter_snapshots", SnapshotRow, execution.snapshots),
        ("write_pending_tokens", PendingTokenRow, execution.pending),
        ("write_loops", LoopRow, execution.loops),
        ("write_workers", WorkerRow, execution.workers),
    ):
        transaction.execute(query, run_id=run_id, **columns(kind, rows))
    if execution.statistics is not None:
        transaction.execute("write_statistics", run_id=run_id, **asdict(execution.statistics))
