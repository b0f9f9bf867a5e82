"""What the ops of a run and of the runs inside it reported, read from Dagster's event log."""

from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg

from dagster_pgflow.names import RESULT_OUTPUT
from dagster_pgflow.runtime.child_trace import Outcomes
from dagster_pgflow.runtime.op_reports import report_in

_READ = {
    dg.DagsterEventType.STEP_OUTPUT,
    dg.DagsterEventType.STEP_FAILURE,
    dg.DagsterEventType.ENGINE_EVENT,
}
_Report = Mapping[str, Any]


def outcomes_in(instance: dg.DagsterInstance, run: dg.DagsterRun) -> Outcomes:
    """Return what the ops of a run reported, those that it took over from others included.

    Those of a run inside it have its path before their keys. Where that run failed, it is the
    subflow that its failure ended.

    Args:
        instance: The Dagster instance.
        run: The run; when it re-executes another one, that one's ops count where it has none.
    """
    found: dict[str, _Report] = {}
    current: dg.DagsterRun | None = run
    while current is not None:
        before = found
        found = dict(_reports(instance, current.run_id))
        # What an op did in an earlier run counts where it did nothing in a later one.
        again = {_op(key) for key in before}
        found = {key: told for key, told in found.items() if _op(key) not in again} | before
        parent = current.parent_run_id
        current = instance.get_run_by_id(parent) if parent else None
    return found


def failed_outcome(failure: dg.DagsterEvent) -> _Report:
    """Return what an op reported of its failure; nothing when it could not."""
    told = failure.step_failure_data.user_failure_data
    return _told(told.metadata) if told is not None else {}


def message_of(failure: dg.DagsterEvent) -> str:
    """Return the innermost error of an op that failed, without Dagster's wrappings."""
    error = failure.step_failure_data.error
    if error is None:
        return failure.message or "it did not say why."
    while error.cause is not None:
        error = error.cause
    return error.message.strip()


def _reports(
    instance: dg.DagsterInstance, run_id: str, begin: str = "", caught: str = ""
) -> Iterator[tuple[str, _Report]]:
    """Yield what the ops of a run reported.

    Args:
        instance: The Dagster instance.
        run_id: The run.
        begin: What their keys begin with.
        caught: The subflow that fails with the run, when that is a run inside another one.
    """
    children: list[tuple[str, _Report]] = []
    ended: dict[str, _Report] = {}
    for event in _events(instance, run_id):
        key = event.step_key or ""
        match event.event_type:
            case dg.DagsterEventType.ENGINE_EVENT:
                told = _told(event.engine_event_data.metadata)
                if told.get("status") == "child_run":
                    children.append((key, told))
            case dg.DagsterEventType.STEP_FAILURE if begin:
                if told := failed_outcome(event):
                    yield f"{begin}{key}", {**told, "failed_subflow": caught}
            case dg.DagsterEventType.STEP_OUTPUT:
                told = _told(event.step_output_data.metadata)
                if event.step_output_data.output_name == RESULT_OUTPUT and told:
                    ended[key] = told
                    yield f"{begin}{key}", told
    for key, told in children:
        by_op = ended.get(key, {})
        item = by_op.get("failed_items", {}).get(told["path"], {})
        fails = by_op.get("failed_subflow") or item.get("subflow") or caught
        yield from _reports(instance, told["child_run"], f"{key}/{told['path']}/", fails)


def _events(instance: dg.DagsterInstance, run_id: str) -> Iterator[dg.DagsterEvent]:
    cursor: str | None = None
    while True:
        page = instance.get_records_for_run(run_id, cursor, _READ, limit=1000)
        for record in page.records:
            event = record.event_log_entry.dagster_event
            if event is not None:
                yield event
        if not page.has_more:
            return
        cursor = page.cursor


def _op(key: str) -> str:
    """Return the op of the outermost run that a key belongs to."""
    return key.partition("/")[0]


def _told(metadata: Mapping[str, Any]) -> _Report:
    return report_in(metadata) or {}
