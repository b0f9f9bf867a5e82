"""Writes the tables of execution of one run: its tokens, its loops and its statistics."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from dagster_pgflow.model.execution import (
    AppliedKeyRow,
    ExecutionRows,
    LoopRow,
    PendingTokenRow,
    SnapshotRow,
    WorkerRow,
)
from dagster_pgflow.store.database import Transaction
from dagster_pgflow.store.pieces import drop_from, keep_only, write_rows


def write_execution(
    transaction: Transaction, run_id: str, execution: ExecutionRows, kept: int, last: int
) -> None:
    """Write the rows; what is as it was stays untouched.

    Args:
        transaction: Writes them together with the events.
        execution: All its rows.
        kept: How many events at the beginning of its log are as they were.
        last: How many there were.
    """
    drop_from(transaction, "delete_applied_keys", kept, last, run_id=run_id)
    new = [row for row in execution.applied if row.sequence_num > kept]
    write_rows(transaction, "write_applied_keys", AppliedKeyRow, new, run_id=run_id)
    rows: Sequence[Any]
    for name, kind, keys, rows in (
        ("counter_snapshots", SnapshotRow, ("sequence_num",), execution.snapshots),
        ("pending_tokens", PendingTokenRow, ("node", "from_node"), execution.pending),
        ("loops", LoopRow, ("loop_path",), execution.loops),
        ("workers", WorkerRow, ("worker_id",), execution.workers),
    ):
        write_rows(transaction, f"write_{name}", kind, rows, run_id=run_id)
        keep_only(transaction, f"drop_{name}", keys, rows, run_id=run_id)
    if execution.statistics is not None:
        transaction.execute("write_statistics", run_id=run_id, **asdict(execution.statistics))
