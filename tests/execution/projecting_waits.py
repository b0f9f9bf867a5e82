"""Runs that wait, in real Dagster and with the real store: begun, answered, gone on with."""

import json
from typing import Any

import dagster as dg

from dagster_pgflow.compat import InMemoryJob
from dagster_pgflow.launching.origins import origins_of
from dagster_pgflow.live.compat import execute_run_iterator
from dagster_pgflow.resumption.continuing import (
    cancel_waiting,
    continue_run,
    run_before,
)
from dagster_pgflow.store.continuations import Continuation, Continuations
from tests.execution.projecting import Handlers, World
from tests.execution.ticks import tick_context

SENSOR = "pgflow_requests"


def answer(world: World, step: str, given: Any = True, by: str = "ann") -> None:
    """Answers a step of the one run."""
    [run_id] = world.sql.column("select run_id from pgflow.runs")
    world.sql("select pgflow.answer(%s, %s, %s::jsonb, %s)", run_id, step, json.dumps(given), by)


def claimed(world: World) -> Continuation | None:
    """Returns what is to go on next, and notes that it does."""
    continuations = Continuations(world.database)
    return world.database.run(continuations.next)


def created(world: World, continuation: Continuation, job: dg.JobDefinition) -> dg.DagsterRun:
    """Returns the Dagster run that goes on, which nobody has begun."""
    before = run_before(world.instance, continuation)
    if continuation.kind == "cancel":
        return cancel_waiting(world.instance, continuation, before, SENSOR)
    context = tick_context(world.instance)
    assert context.repository_def is not None
    origins = origins_of(context.code_location_origin, context.repository_def)
    return continue_run(world.instance, continuation, before, job, origins=origins, sensor=SENSOR)


def go_on(world: World, slug: str, handlers: Handlers, **settings: Any) -> dg.DagsterRun:
    """Has the run go on that can, to whatever end, and returns its further Dagster run."""
    continuation = claimed(world)
    assert continuation is not None, "nothing can go on"
    job = world.job(slug, handlers, **settings)
    run = created(world, continuation, job)
    known = world.instance.get_run_by_id(run.run_id)
    if known is not None and not known.is_finished:
        list(execute_run_iterator(InMemoryJob(job), run, world.instance))
    return run
