"""What the Dagster UI shows of an op at first glance."""

import json
from typing import Any

import dagster as dg

from dagster_pgflow.reports.told import cancel_told, skip_told
from dagster_pgflow.runtime.op_execution import Execution
from dagster_pgflow.runtime.values import Batch, Skipped

SHOWN_LENGTH = 200
SHOWN_RUNS = 100


def shown_of(value: Any) -> dict[str, str]:
    """Return what the Dagster UI shows of an output at first glance."""
    if isinstance(value, Skipped):
        return {"cancelled": value.error} if value.error else _shown_skip(value)
    shown = list(value.values) if isinstance(value, Batch) else value
    text = json.dumps(shown, ensure_ascii=False)
    return {"output": text if len(text) <= SHOWN_LENGTH else f"{text[:SHOWN_LENGTH]} …"}


def _shown_skip(skip: Skipped) -> dict[str, str]:
    return {"skipped": skip.reason} | ({"why": skip.told} if skip.told else {})


def links_of(execution: Execution) -> dict[str, Any]:
    """Return links to the runs that an op has started."""
    if len(execution.child_runs) == 1:
        return {"child run": dg.MetadataValue.dagster_run(execution.child_runs[0])}
    return {
        f"child run {number}": dg.MetadataValue.dagster_run(run_id)
        for number, run_id in enumerate(execution.child_runs[:SHOWN_RUNS], 1)
    }


def skip_sentence(execution: Execution, skip: Skipped) -> str:
    """Return why a step does not run."""
    if skip.error is not None:
        return cancel_told(execution.path, skip.step)
    return skip_told(execution.path, skip.reason, skip.step, skip.told)
