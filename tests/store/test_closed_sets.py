"""What is one of a few words is one of the same words in SQL and in Python."""

import re
from typing import Any, get_args

from dagster_pgflow.model.execution import LoopEnd, LoopStatus
from dagster_pgflow.model.guards import BreakerState, HoldingGuard
from dagster_pgflow.model.options import Jitter
from dagster_pgflow.model.run_state import (
    AttemptStatus,
    RunStatus,
    SkipReason,
    StepStatus,
    TaskStatus,
)
from dagster_pgflow.model.steps import KINDS, StepFields
from dagster_pgflow.model.steps.fields import WhenExhausted, WhenUnmet
from dagster_pgflow.model.steps.hooked import CheckSchemas
from dagster_pgflow.model.steps.subflow import SubflowMode
from dagster_pgflow.model.steps.waiting import OnDeadline
from dagster_pgflow.model.trigger import EventOfRun, TriggerEvent, Verdict
from dagster_pgflow.reports.report import WaitKind
from dagster_pgflow.runtime.waits import WaitStatus
from dagster_pgflow.store.continuations import ContinuationKind
from dagster_pgflow.store.deliveries import DeliveryStatus
from tests.postgres import Session

WORDS: dict[tuple[str, str], Any] = {
    ("flows", "jitter_is_valid"): Jitter,
    ("steps", "jitter_is_valid"): Jitter,
    ("steps", "when_unmet_is_valid"): WhenUnmet,
    ("steps", "when_exhausted_is_valid"): WhenExhausted,
    ("steps", "mode_is_valid"): SubflowMode,
    ("steps", "check_schemas_is_valid"): CheckSchemas,
    ("steps", "on_deadline_is_valid"): OnDeadline,
    ("runs", "status_is_valid"): RunStatus,
    ("subruns", "status_is_valid"): StepStatus,
    ("step_states", "status_is_valid"): StepStatus,
    ("step_states", "skip_reason_is_valid"): SkipReason,
    ("step_tasks", "status_is_valid"): TaskStatus,
    ("node_executions", "status_is_valid"): AttemptStatus,
    ("triggers", "on_event_is_valid"): TriggerEvent,
    ("triggers", "only_events_of_runs_have_a_source_flow"): EventOfRun,
    ("trigger_outcomes", "trigger_outcome_is_valid"): Verdict,
    ("waits", "kind_is_valid"): WaitKind,
    ("waits", "status_is_valid"): WaitStatus,
    ("run_continuations", "kind_is_valid"): ContinuationKind,
    ("webhook_deliveries", "status_is_valid"): DeliveryStatus,
    ("loop_state", "status_is_valid"): LoopStatus,
    ("loop_state", "ended_by_is_valid"): LoopEnd,
    ("circuit_breakers", "circuit_breakers_state_check"): BreakerState,
    ("guarded_calls", "guarded_calls_guard_check"): HoldingGuard,
}


def closed_sets(sql: Session) -> dict[tuple[str, str], set[str]]:
    """Returns the words that a constraint allows a column, by its table and its name."""
    rows = sql(
        "select conrelid::regclass::text, conname, pg_get_constraintdef(oid) from pg_constraint"
        " where contype = 'c' and connamespace = 'pgflow'::regnamespace and conrelid <> 0"
    )
    found = {
        (table.removeprefix("pgflow."), name): re.search(r"= ANY \(ARRAY\[(.*?)\]\)", definition)
        for table, name, definition in rows
    }
    return {
        place: set(re.findall(r"'([^']+)'::text", match[1]))
        for place, match in found.items()
        if match is not None
    }


def test_words_that_constraints_list_are_those_of_python(sql: Session) -> None:
    found = closed_sets(sql)
    assert found.pop(("steps", "steps_step_type_check")) == set(KINDS)
    assert found.pop(("steps", "wait_is_valid")) == {"all", "any"}
    assert found == {place: set(get_args(words)) for place, words in WORDS.items()}


def test_the_builder_takes_the_types_of_steps_that_there_are() -> None:
    assert set(get_args(StepFields.__annotations__["step_type"])) == set(KINDS)
