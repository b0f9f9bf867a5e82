"""The stored outputs that events refer to, wherever the runs that made them lie."""

from collections.abc import Mapping, Sequence
from typing import Any

from dagster_pgflow.dagster_log.run_events import OutputsOf
from dagster_pgflow.dagster_log.step_keys import key_inside
from dagster_pgflow.model.run_state import STORED_AT_KEY, LogEvent
from dagster_pgflow.names import FINISHED_OUTPUT, RESULT_OUTPUT
from dagster_pgflow.projection.sync.store import StoredOutputs
from dagster_pgflow.projection.translate.event_data import finished_in
from dagster_pgflow.runtime.values import Batch


def outputs_in(
    stored_outputs: StoredOutputs, events: Sequence[LogEvent], runs: Sequence[OutputsOf]
) -> dict[str, Any]:
    """Return the stored outputs that events refer to, by Dagster step key.

    Args:
        stored_outputs: Where outputs lie.
        events: The event log of a run.
        runs: The Dagster runs whose outputs it uses.
    """
    wanted = {event.event_data.get("output_of") for event in events} - {None}
    found: dict[str, Any] = {}
    for run in runs if wanted else ():
        prefix = "" if run.child_run is None else key_inside(run.child_run, "")
        if not any(str(key).startswith(prefix) for key in wanted):
            continue
        for stored in stored_outputs.of_run(run.run_id, RESULT_OUTPUT):
            key = f"{prefix}{stored.key.step_key}"
            if key in wanted and key not in found:
                here = stored.location is None
                found[key] = stored.value if here else {STORED_AT_KEY: stored.location}
        for stored in stored_outputs.of_run(run.run_id, FINISHED_OUTPUT):
            key = finished_in(f"{prefix}{stored.key.step_key}")
            if key in wanted and key not in found and stored.value:
                found[key] = _batch_of(stored.value).to_wire()
    return found


def _batch_of(finished: Mapping[str, Any]) -> Batch:
    """Return the outputs of a batch that failed, with null for the elements that have none."""
    outputs = {int(index): one.get("output") for index, one in finished.items()}
    start = min(outputs)
    return Batch(start, tuple(outputs.get(index) for index in range(start, max(outputs) + 1)))
