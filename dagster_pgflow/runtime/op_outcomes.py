"""What the ops of a run reported, read from Dagster's event log."""

from collections.abc import Iterable, Mapping
from typing import Any

import dagster as dg

from dagster_pgflow.names import OUTCOME_KEY, RESULT_OUTPUT
from dagster_pgflow.runtime.child_trace import Outcomes


def outcomes_in(instance: dg.DagsterInstance, run: dg.DagsterRun) -> Outcomes:
    """Return what the ops of a run reported, those that it took over from others included.

    Args:
        instance: The Dagster instance.
        run: The run; when it re-executes another one, that one's ops count where it has none.
    """
    found: dict[str, Mapping[str, Any]] = {}
    current: dg.DagsterRun | None = run
    while current is not None:
        found = {**dict(_reports(instance, current.run_id)), **found}
        parent = current.parent_run_id
        current = instance.get_run_by_id(parent) if parent else None
    return found


def _reports(instance: dg.DagsterInstance, run_id: str) -> Iterable[tuple[str, Mapping[str, Any]]]:
    cursor: str | None = None
    while True:
        page = instance.get_records_for_run(
            run_id, cursor, dg.DagsterEventType.STEP_OUTPUT, limit=1000
        )
        for record in page.records:
            event = record.event_log_entry.dagster_event
            if event is None or event.step_output_data.output_name != RESULT_OUTPUT:
                continue
            told = event.step_output_data.metadata.get(OUTCOME_KEY)
            if isinstance(told, dg.JsonMetadataValue) and isinstance(told.value, dict):
                yield event.step_key or "", told.value
        if not page.has_more:
            return
        cursor = page.cursor
