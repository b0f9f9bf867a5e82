"""How an event is stored: with the next batch, at once, or as dagster-postgres does it."""

from collections.abc import Set as AbstractSet
from typing import Final, Literal

from dagster import DagsterEventType, EventLogEntry

Handling = Literal["buffered", "at_once", "ordinary"]
"""What becomes of an event.

`buffered`: it waits for the next batch. `at_once`: it ends the batch, which is written before the
call returns. `ordinary`: what waits is written, then the event as dagster-postgres writes it.
"""

BUFFERED: Final[AbstractSet[DagsterEventType]] = frozenset(
    {
        DagsterEventType.HANDLED_OUTPUT,
        DagsterEventType.HOOK_COMPLETED,
        DagsterEventType.HOOK_SKIPPED,
        DagsterEventType.LOADED_INPUT,
        DagsterEventType.LOGS_CAPTURED,
        DagsterEventType.OBJECT_STORE_OPERATION,
        DagsterEventType.RESOURCE_INIT_STARTED,
        DagsterEventType.RESOURCE_INIT_SUCCESS,
        DagsterEventType.STEP_EXPECTATION_RESULT,
        DagsterEventType.STEP_INPUT,
        DagsterEventType.STEP_OUTPUT,
        DagsterEventType.STEP_SKIPPED,
        DagsterEventType.STEP_SUCCESS,
    }
)
"""What a process says many times in a run, and what concerns nothing but the run's own log."""

AT_ONCE: Final[AbstractSet[DagsterEventType]] = frozenset(
    {
        DagsterEventType.ENGINE_EVENT,
        DagsterEventType.HOOK_ERRORED,
        DagsterEventType.RESOURCE_INIT_FAILURE,
        DagsterEventType.STEP_FAILURE,
        DagsterEventType.STEP_RESTARTED,
        DagsterEventType.STEP_START,
        DagsterEventType.STEP_UP_FOR_RETRY,
        DagsterEventType.STEP_WORKER_STARTED,
        DagsterEventType.STEP_WORKER_STARTING,
    }
)
"""What must not be lost, or what is said before another process begins to speak.

A step that starts is among them. So what came before it is stored when its code runs: a process
that is killed, or whose database is away, has done nothing of which Dagster knows nothing.
"""


def handling_of(event: EventLogEntry) -> Handling:
    """Returns how an event is stored.

    Events that write to other tables too (assets, checks, freshness), those that change the status
    of a run, and kinds that are not known yet go the ordinary way: readers of all runs follow
    the ids of these, and an id in a batch shows later than one by itself.
    """
    if not event.is_dagster_event:
        return "buffered"
    kind = event.get_dagster_event().event_type
    if kind in BUFFERED:
        return "buffered"
    return "at_once" if kind in AT_ONCE else "ordinary"
