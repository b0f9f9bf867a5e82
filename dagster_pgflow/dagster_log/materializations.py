"""Which assets an op has materialized already, read from Dagster's event log."""

from typing import Any

import dagster as dg

from dagster_pgflow.dagster_log.event_pages import records_of
from dagster_pgflow.names import ASSET_FACTS

Identity = tuple[Any, ...]
"""What a materialization has that no other has: its asset and partition, and the task of a run."""


def identity_of(told: dg.AssetMaterialization) -> Identity:
    """Return what tells a materialization of a task from all others."""
    facts = [told.metadata.get(f"{ASSET_FACTS}{name}") for name in ("run_id", "step", "task_index")]
    return (*told.asset_key.path, told.partition, *(one and one.value for one in facts))


def materializations_of(context: dg.OpExecutionContext, step_key: str) -> frozenset[Identity]:
    """Return what an op materialized in its run, and in those that this one goes on with.

    A process that is lost between the last word of an op and its end leaves such, and the op runs
    again.

    Args:
        context: Where the op runs.
        step_key: The op's step in Dagster.
    """
    found: set[Identity] = set()
    run: dg.DagsterRun | None = context.run
    while run is not None:
        records, _ = records_of(
            context.instance, run.run_id, [dg.DagsterEventType.ASSET_MATERIALIZATION]
        )
        found |= {
            identity_of(record.asset_materialization)
            for record in records
            if record.event_log_entry.step_key == step_key and record.asset_materialization
        }
        run = context.instance.get_run_by_id(run.parent_run_id) if run.parent_run_id else None
    return frozenset(found)
