"""What the ops of a run and of the runs inside it reported, read from Dagster's event log."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final, assert_never

import dagster as dg

from dagster_pgflow.dagster_log.event_pages import records_of
from dagster_pgflow.dagster_log.records import read_events
from dagster_pgflow.dagster_log.run_events import Reports
from dagster_pgflow.reports.report import (
    ChildRunStarted,
    StepCancelled,
    StepCompleted,
    StepDelayed,
    StepEnd,
    StepFailed,
    StepHeld,
    StepPause,
    StepRetrying,
    StepSkipped,
    StepWaiting,
)
from dagster_pgflow.step_path import StepPath

_READ: Final = (
    dg.DagsterEventType.STEP_OUTPUT,
    dg.DagsterEventType.STEP_SUCCESS,
    dg.DagsterEventType.STEP_FAILURE,
    dg.DagsterEventType.ENGINE_EVENT,
)


def reports_in(instance: dg.DagsterInstance, run: dg.DagsterRun) -> Reports:
    """Return what the ops of a run reported, those that it took over from others included.

    Those of a run inside it have its path before their keys. Where that run failed, it is the
    subflow that its failure ended.

    Args:
        instance: The Dagster instance.
        run: The run; when it re-executes another one, that one's ops count where it has none.
    """
    found: dict[str, StepEnd] = {}
    current: dg.DagsterRun | None = run
    while current is not None:
        before = found
        reports = dict(_reports(instance, current.run_id, found))
        held = {key for key, one in reports.items() if isinstance(one, StepPause)}
        # What an op did in an earlier run counts where it did nothing in a later one, or was held
        # in the earlier one and went on from there.
        again = {_op(key) for key in before} - held
        found = {
            key: one
            for key, one in reports.items()
            if isinstance(one, StepEnd) and _op(key) not in again
        } | before
        parent = current.parent_run_id
        current = instance.get_run_by_id(parent) if parent else None
    return found


def failed_in(reports: Reports) -> set[StepPath]:
    """Return the subflows, items and iterations that failed while the flow around them goes on.

    Args:
        reports: What the ops of a run reported.
    """
    found: set[StepPath] = set()
    for report in reports.values():
        if isinstance(report, StepFailed | StepCancelled) and report.failed_subflow is not None:
            found.add(report.failed_subflow)
        elif isinstance(report, StepCompleted):
            found.update(item.subflow for item in report.failed_items.values())
    return found


def _reports(
    instance: dg.DagsterInstance,
    run_id: str,
    later: Mapping[str, StepEnd],
    begin: str = "",
    caught: StepPath | None = None,
) -> Iterator[tuple[str, StepEnd | StepPause]]:
    """Yield what the ops of a run reported.

    Args:
        instance: The Dagster instance.
        run_id: The run.
        later: What ops reported in runs that go on with it: one that was held in this run says
            only there which of the runs in it failed.
        begin: What their keys begin with.
        caught: The subflow that fails with the run, when that is a run inside another one.
    """
    children: list[tuple[str, ChildRunStarted]] = []
    ended: dict[str, StepEnd] = {}
    records, _ = records_of(instance, run_id, _READ)
    for run_event in read_events(records):
        key = run_event.step_key
        report = run_event.report
        match report:
            case ChildRunStarted():
                children.append((key, report))
            case StepFailed() if run_event.kind == "failed":
                if begin:
                    yield f"{begin}{key}", replace(report, failed_subflow=caught)
            case StepCompleted() | StepSkipped() | StepCancelled() | StepFailed():
                ended[key] = report
                yield f"{begin}{key}", report
            case StepWaiting() | StepHeld():
                yield f"{begin}{key}", report
            case StepRetrying() | StepDelayed() | None:
                pass
            case _:
                assert_never(report)
    for key, started in children:
        around = ended.get(key) or later.get(f"{begin}{key}")
        fails = _caught_by(around, started.path) or caught
        yield from _reports(instance, started.child_run, later, f"{key}/{started.path}/", fails)


def _caught_by(around: StepEnd | None, path: StepPath) -> StepPath | None:
    """Return the subflow that fails with a run inside an op, as far as the op knows.

    Args:
        around: What the op reported.
        path: What ran there.
    """
    match around:
        case StepFailed() | StepCancelled():
            return around.failed_subflow
        case StepCompleted():
            item = around.failed_items.get(path)
            return None if item is None else item.subflow
        case StepSkipped() | None:
            return None
        case _:
            assert_never(around)


def _op(key: str) -> str:
    """Return the op of the outermost run that a key belongs to."""
    return key.partition("/")[0]
