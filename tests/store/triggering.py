"""Triggers of a store with some flows, and runs that end in it as far as the tables tell."""

import json
from typing import Any
from uuid import UUID

import pytest

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.store.database import Database
from dagster_pgflow.store.flows import FlowBuilder
from dagster_pgflow.store.trigger_queue import TriggerQueue
from dagster_pgflow.store.triggers import Triggers
from tests.postgres import Session


@pytest.fixture
def triggers(database: Database, builder: FlowBuilder) -> Triggers:
    """The triggers of a store with some flows."""
    for slug in ("a", "b", "c"):
        builder.define_flow(Flow(slug).step("s"))
    schema = {"type": "object", "properties": {"n": {"type": "string"}}}
    builder.define_flow(Flow("strict", input_schema=schema).step("s"))
    return Triggers(database)


@pytest.fixture
def queue(database: Database) -> TriggerQueue:
    return TriggerQueue(database)


def ended(
    sql: Session,
    slug: str,
    status: str = "completed",
    *,
    output: Any = None,
    error: str | None = None,
    run_id: UUID | None = None,
) -> str:
    """Runs a flow to its end, as far as the tables tell, and returns its id."""
    if run_id is None:
        run_id = sql.value("select run_id from pgflow.start_flow(%s, '{\"n\": 1}')", slug)
    sql(
        "update pgflow.runs set status = %s, output = %s::jsonb, error_message = %s,"
        " completed_at = case when %s = 'completed' then clock_timestamp() end,"
        " failed_at = case when %s <> 'completed' then clock_timestamp() end where run_id = %s",
        status,
        json.dumps(output),
        error,
        status,
        status,
        str(run_id),
    )
    return str(run_id)


def outcomes(sql: Session) -> list[tuple[str, str, str | None]]:
    return sql(
        "select trigger_name, outcome, reason from pgflow.trigger_outcomes"
        " order by event_id, trigger_id"
    )


def started(sql: Session, slug: str) -> list[Any]:
    """Returns the inputs of the runs of a flow that were asked for."""
    return sql.column(
        "select input from pgflow.run_requests where flow_slug = %s order by created_at", slug
    )
