"""`execute_flow`: a flow and its handlers in, a result out."""

import asyncio
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

import dagster as dg

from dagster_pgflow.compiler.soundness import problems_of
from dagster_pgflow.errors import ConfigurationError, InvalidFlow
from dagster_pgflow.in_process.cancellation import Cancellation
from dagster_pgflow.in_process.clock import Clock
from dagster_pgflow.in_process.execute import WantedRun, execute_in_memory, instance_or_memory
from dagster_pgflow.in_process.given import FlowSource, HandlerSources, flow_in, registry_of
from dagster_pgflow.in_process.paths import Places
from dagster_pgflow.in_process.result import FlowResult
from dagster_pgflow.in_process.said_of_steps import answers_at, stand_ins_at
from dagster_pgflow.in_process.stand_ins import StandIns
from dagster_pgflow.in_process.stored import (
    execute_stored,
    refuse_waiting_without_instance,
    store_flows,
    stored_flows,
)
from dagster_pgflow.in_process.waits import Answers
from dagster_pgflow.json_values.text import write_json
from dagster_pgflow.model.defaults import UNASKED
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.runtime.handlers import HandlerRegistry
from dagster_pgflow.store.database import Database
from dagster_pgflow.store.run_outcomes import RunCancelled, RunFailed


def execute_flow(
    flow: FlowSource,
    input: Any = UNASKED,  # the word of SQL's start_flow
    *,
    flows: Iterable[Flow | Mapping[str, Any]] = (),
    handlers: HandlerSources = None,
    resources: Mapping[str, Any] | None = None,
    database: Database | str | None = None,
    instance: dg.DagsterInstance | None = None,
    answers: Answers | None = None,
    raise_on_error: bool = True,
    tags: Mapping[str, str] | None = None,
) -> FlowResult:
    """Run a flow in this process, without daemon, sensor or web server, and return its result.

    Without a database nothing is written anywhere. With one, the run is a run like others: the
    flow is stored, if it is not yet as it is here, and the run tables have its rows.

    Args:
        flow: A `Flow`; a flow document, workflow document or manifest that has been read; or the
            slug of one of `flows` or of a stored flow.
        input: Its input, laid over the defaults of its input schema; without one it runs on these.
        flows: The flows that it contains.
        handlers: `{name: function}`, modules, handlers, or several of these, over those that
            installed packages register.
        resources: Dagster resources for handlers (`ctx.resources`), by key.
        database: The store, or its URL.
        instance: The Dagster instance that has the run; without one it lies in memory.
        answers: What steps that wait are answered, by path. Where a step waits and has no answer,
            the run is `waiting`.
        raise_on_error: Whether a run that does not come to a good end raises.
        tags: Tags of the Dagster run.

    Raises:
        RunFailed: The run failed; its cause is what the handler raised.
        RunCancelled: The run was cancelled in Dagster.
        KeyboardInterrupt: The process was asked to stop; the run has ended as cancelled.
        InvalidFlow: The flow cannot run; with all that is wrong.
        UnknownFlow: There is no stored flow of this slug.
        ConfigurationError: An argument makes no sense.
        ValueNotJson: The input is not JSON.
        StoreError: The database cannot be used.

    Example:
        >>> flow = Flow("greet").step("hello")
        >>> execute_flow(flow, "you", handlers={"hello": lambda name: f"Hello, {name}!"}).output
        {'hello': 'Hello, you!'}
    """
    return _execute(
        flow,
        input,
        Cancellation(),
        flows=flows,
        handlers=handlers,
        resources=resources,
        database=database,
        instance=instance,
        answers=answers,
        raise_on_error=raise_on_error,
        tags=tags,
    )


async def execute_flow_async(
    flow: FlowSource,
    input: Any = UNASKED,  # the word of SQL's start_flow
    **arguments: Any,
) -> FlowResult:
    """Run a flow as `execute_flow` does, in a thread, so that the event loop goes on meanwhile.

    Where the task is cancelled, the run ends as cancelled after the step that is at work, and the
    task with it.

    Args:
        flow: The flow.
        input: Its input.
        **arguments: Those of `execute_flow`.

    Raises:
        PgflowError: As `execute_flow`.
    """
    cancellation = Cancellation()
    run = partial(_execute, flow, input, cancellation, **arguments)
    running = asyncio.ensure_future(asyncio.to_thread(run))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        cancellation.ask()
        await asyncio.wait([running])
        if not running.cancelled():
            running.exception()  # Nobody else is told of it.
        raise


def _execute(
    flow: FlowSource,
    input: Any,  # the word of SQL's start_flow
    cancellation: Cancellation,
    *,
    flows: Iterable[Flow | Mapping[str, Any]] = (),
    handlers: HandlerSources = None,
    resources: Mapping[str, Any] | None = None,
    database: Database | str | None = None,
    instance: dg.DagsterInstance | None = None,
    answers: Answers | None = None,
    raise_on_error: bool = True,
    tags: Mapping[str, str] | None = None,
) -> FlowResult:
    result = run_in_process(
        flow,
        input,
        flows=flows,
        handlers=handlers,
        resources=resources,
        database=database,
        instance=instance,
        answers=answers or {},
        stand_ins={},
        only_stand_ins=False,
        clock=Clock(),
        tags=tags,
        cancellation=cancellation,
    )
    if raise_on_error:
        raise_if_ended_badly(result)
    return result


def run_in_process(
    flow: FlowSource,
    input: Any,  # the word of SQL's start_flow
    *,
    flows: Iterable[Flow | Mapping[str, Any]],
    handlers: HandlerSources,
    resources: Mapping[str, Any] | None,
    database: Database | str | None,
    instance: dg.DagsterInstance | None,
    answers: Answers,
    stand_ins: StandIns,
    only_stand_ins: bool,
    clock: Clock,
    tags: Mapping[str, str] | None,
    cancellation: Cancellation,
) -> FlowResult:
    """Run a flow in this process, whoever asks; see `execute_flow`.

    Args:
        flow: The flow.
        input: Its input.
        flows: The flows that it contains.
        handlers: What its steps call.
        resources: The Dagster resources that handlers may use.
        database: The store.
        instance: The Dagster instance.
        answers: What steps that wait are answered.
        stand_ins: What stands in for handlers, by the places of their steps.
        only_stand_ins: Whether no handler is called itself.
        clock: The time of the run.
        tags: Tags of the Dagster run.
        cancellation: Whether it is to end before its time.

    Raises:
        PgflowError: As `execute_flow`.
        BaseException: What interrupted it, once it has ended.
    """
    slug, given = _given_flows(flow, flows)
    if input is not UNASKED:
        write_json(input, f'The input of flow "{slug}"')
    registry, keyed = registry_of(handlers), dict(resources or {})
    store = Database(database) if isinstance(database, str) else database
    pinned = None
    if store is not None:
        store_flows(store, given.values())
        pinned = stored_flows(store, slug)
    elif slug not in given:
        raise ConfigurationError(
            f'Flow "{slug}" is named by its slug; give the flow itself, or the database that has'
            " it."
        )
    known: Mapping[str, Flow] = given if pinned is None else {one: pinned[one] for one in pinned}
    _refuse_unsound(slug, known, registry, keyed)
    wanted = WantedRun(
        slug,
        known,
        input,
        registry,
        keyed,
        answers_at(Places(slug, known), answers),
        stand_ins_at(Places(slug, known), stand_ins),
        clock,
        only_stand_ins,
        dict(tags or {}),
        cancellation,
    )
    if pinned is not None and instance is None:
        refuse_waiting_without_instance(known.values())
    with instance_or_memory(instance) as opened:
        if pinned is None or store is None:
            result = execute_in_memory(wanted, opened)
        else:
            result = execute_stored(wanted, pinned, store, opened)
    cancellation.tell()
    return result


def raise_if_ended_badly(result: FlowResult) -> None:
    """Raise what a caller is told of a run that failed or was cancelled.

    Args:
        result: What became of it.

    Raises:
        RunFailed: It failed.
        RunCancelled: It was cancelled.
    """
    if result.status == "failed":
        raise RunFailed(
            result.run_id, result.flow_slug, result.error, is_stored=False
        ) from result.exception
    if result.status == "cancelled":
        raise RunCancelled(result.run_id, result.flow_slug, result.error)


def _given_flows(
    flow: FlowSource, others: Iterable[Flow | Mapping[str, Any]]
) -> tuple[str, dict[str, Flow]]:
    """Return the slug of a flow, and all flows that are given, by slug."""
    found: dict[str, Flow] = {}
    for one in others:
        other = flow_in(one, found)
        found[other.slug] = other
    if isinstance(flow, str):
        return flow, found
    own = flow_in(flow, found)
    return own.slug, {**found, own.slug: own}


def _refuse_unsound(
    slug: str, flows: Mapping[str, Flow], registry: HandlerRegistry, resources: Mapping[str, Any]
) -> None:
    problems = problems_of(flows[slug], flows, registry, resources.keys())
    if problems:
        raise InvalidFlow(slug, problems)
