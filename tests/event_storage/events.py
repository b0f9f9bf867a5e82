"""Single events, as Dagster hands them to its storage."""

import time
from typing import Any

import dagster as dg
from dagster import DagsterEvent, DagsterEventType, EventLogEntry
from dagster._core.events import EngineEventData, HookErroredData, StepMaterializationData
from dagster._core.execution.plan.objects import StepFailureData
from dagster_shared.error import SerializableErrorInfo

from tests.postgres import Session

RUN = "0" * 8 + "-0000-4000-8000-" + "0" * 12
OTHER_RUN = "1" * 8 + "-0000-4000-8000-" + "1" * 12


def line(text: str, run_id: str = RUN, **more: Any) -> EventLogEntry:
    """Returns what a handler logs."""
    fields = {"error_info": None, "level": 20, "timestamp": time.time(), "job_name": "job"}
    made: EventLogEntry = EventLogEntry(  # type: ignore[no-untyped-call]
        user_message=text, run_id=run_id, **(fields | more)
    )
    return made


def event(kind: DagsterEventType, run_id: str = RUN, step_key: str | None = None) -> EventLogEntry:
    """Returns what Dagster says itself."""
    said = DagsterEvent(
        event_type_value=kind.value,
        job_name="job",
        step_key=step_key,
        message=kind.value,
        event_specific_data=_data(kind),
    )
    return line(kind.value, run_id, dagster_event=said, step_key=step_key)


def _data(kind: DagsterEventType) -> Any:
    match kind:
        case (
            DagsterEventType.ENGINE_EVENT
            | DagsterEventType.RESOURCE_INIT_FAILURE
            | DagsterEventType.STEP_WORKER_STARTED
            | DagsterEventType.STEP_WORKER_STARTING
        ):
            return EngineEventData({})
        case DagsterEventType.STEP_FAILURE:
            return StepFailureData(  # type: ignore[no-untyped-call]
                error=None, user_failure_data=None
            )
        case DagsterEventType.HOOK_ERRORED:
            return HookErroredData(SerializableErrorInfo("", [], None))
        case DagsterEventType.ASSET_MATERIALIZATION:
            return StepMaterializationData(dg.AssetMaterialization("asset"))
        case _:
            return None


def lines_in(session: Session, run_id: str = RUN) -> list[str]:
    """Returns what the events of a run say, in their order."""
    return session.column(
        "select event::json ->> 'user_message' from event_logs where run_id = %s order by id",
        run_id,
    )
