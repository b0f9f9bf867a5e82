"""Executes one run in this process, in a Dagster instance, and reads what became of it."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final
from uuid import UUID, uuid4

import dagster as dg

from dagster_pgflow.compat import InMemoryJob
from dagster_pgflow.compiler.emit_job import JobEmitter, JobSettings
from dagster_pgflow.errors import ConfigurationError
from dagster_pgflow.in_process.cancellation import Cancellation, in_a_thread, signals_kept
from dagster_pgflow.in_process.clock import Clock
from dagster_pgflow.in_process.compat import core_execute_in_process
from dagster_pgflow.in_process.instances import instance_in_memory
from dagster_pgflow.in_process.outputs import InMemoryIOManager
from dagster_pgflow.in_process.paths import MOST_LISTED, Places, without_numbers
from dagster_pgflow.in_process.reading import UnstoredFlow, read_run
from dagster_pgflow.in_process.resource import InProcessResource
from dagster_pgflow.in_process.result import FlowResult, WaitResult
from dagster_pgflow.in_process.results import result_of
from dagster_pgflow.in_process.stand_ins import Conducting, StandIns
from dagster_pgflow.in_process.waits import Answers
from dagster_pgflow.model.defaults import UNASKED
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.names import FLOW_INPUT, IO_MANAGER_KEY, PGFLOW_KEY, TAG_FLOW, TAG_WATERMARK
from dagster_pgflow.runtime.handlers import HandlerRegistry
from dagster_pgflow.runtime.inputs import as_run_config
from dagster_pgflow.runtime.waiting_for import shown_wait
from dagster_pgflow.step_path import StepPath

_UNSTORED: Final = "0"
"""The watermark from before there were any stored flows."""

_MOST_NAMED: Final = 20

_QUIET: Final = {"console": {"config": {"log_level": "CRITICAL"}}}
"""Dagster writes a line for each event to the console, and the error of a step with its own
frames; who calls gets all of it as a result."""


@dataclass(frozen=True)
class WantedRun:
    """What is to be run.

    Attributes:
        flow_slug: The flow.
        flows: It and the flows that it contains, by slug.
        input: Its input.
        handlers: What its steps call.
        resources: The Dagster resources that handlers may use, by key.
        answers: What steps that wait are answered.
        stand_ins: What stands in for handlers.
        clock: The time of the run.
        only_stand_ins: Whether no handler is called itself.
        tags: Tags of the Dagster run.
        cancellation: Whether it is to end before its time.
    """

    flow_slug: str
    flows: Mapping[str, Flow]
    input: Any = UNASKED
    handlers: HandlerRegistry = field(default_factory=HandlerRegistry)
    resources: Mapping[str, Any] = field(default_factory=dict)
    answers: Answers = field(default_factory=dict)
    stand_ins: StandIns = field(default_factory=dict)
    clock: Clock = field(default_factory=Clock)
    only_stand_ins: bool = False
    tags: Mapping[str, str] = field(default_factory=dict)
    cancellation: Cancellation = field(default_factory=Cancellation)

    @property
    def run_config(self) -> dict[str, Any]:
        """The run config of its run."""
        schema = self.flows[self.flow_slug].input_schema
        given = self.input is not UNASKED
        inputs = {"inputs": {FLOW_INPUT: as_run_config(schema, self.input)}} if given else {}
        return {**inputs, "loggers": _QUIET}


def execute_in_memory(wanted: WantedRun, instance: dg.DagsterInstance) -> FlowResult:
    """Run a flow without a store.

    Args:
        wanted: What is to be run.
        instance: The Dagster instance.
    """
    resource = InProcessResource(
        wanted.answers, wanted.stand_ins, wanted.clock, only_stand_ins=wanted.only_stand_ins
    )
    resource.cancellation = wanted.cancellation
    settings = JobSettings(
        {**wanted.resources, PGFLOW_KEY: resource, IO_MANAGER_KEY: InMemoryIOManager(resource)},
        wanted.cancellation.executor,
    )

    def tags_of(slug: str) -> dict[str, str]:
        return {TAG_FLOW: slug, TAG_WATERMARK: _UNSTORED}

    emitter = JobEmitter(wanted.flows, wanted.handlers, settings, tags_of)
    job = emitter.job(wanted.flow_slug, tags_of(wanted.flow_slug))
    run_id = execute_job(job, wanted, instance)
    refuse_lack(resource, wanted)
    tree = {slug: UnstoredFlow(flow) for slug, flow in wanted.flows.items()}
    run = read_run(instance, run_id, tree, resource)
    return result_of(run, resource, _waits(resource))


def refuse_lack(looked_on: Conducting, wanted: WantedRun) -> None:
    """Refuse a run that came to handlers for which nothing stands in, though that must be.

    Args:
        looked_on: Knows to which.
        wanted: What was run.

    Raises:
        ConfigurationError: It came to some; it names these, and further steps of the kind.
    """
    if not looked_on.lacking:
        return
    places = Places(wanted.flow_slug, wanted.flows)
    ahead = (path for path in places.of_handlers() if not looked_on.does_work_of(StepPath(path)))
    came_to = [str(path) for path in looked_on.lacking]
    named = {without_numbers(path) for path in came_to}
    others = [path for path in islice(ahead, MOST_LISTED) if path not in named][:_MOST_NAMED]
    more = f" Without a mock are also {', '.join(others)}." if others else ""
    raise ConfigurationError(
        f"The run came to {', '.join(came_to)} without a mock, and only_mocks lets no handler be"
        f" called; add what it returns to mock.{more}"
    )


def execute_job(job: dg.JobDefinition, wanted: WantedRun, instance: dg.DagsterInstance) -> UUID:
    """Execute the job of a flow to its end; return the id of its run in Dagster.

    Args:
        job: The job.
        wanted: What is to be run.
        instance: The Dagster instance.
    """
    run_id = uuid4()

    def execute() -> None:
        with signals_kept():
            core_execute_in_process(
                wanted.run_config,
                InMemoryJob(job),
                instance,
                output_capturing_enabled=False,
                raise_on_error=False,
                run_tags={**job.run_tags, **wanted.tags},
                run_id=str(run_id),
            )

    if _in_an_event_loop():
        in_a_thread(execute, wanted.cancellation)
    else:
        execute()
    return run_id


def _in_an_event_loop() -> bool:
    """Return whether an event loop runs here: a notebook has one, and Dagster wants its own."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


@contextmanager
def instance_or_memory(instance: dg.DagsterInstance | None) -> Iterator[dg.DagsterInstance]:
    """Give the instance that a caller names, or one that lies in memory and ends with the run."""
    if instance is not None:
        yield instance
        return
    with instance_in_memory() as in_memory:
        yield in_memory


def _waits(resource: InProcessResource) -> list[WaitResult]:
    return [
        WaitResult(
            path=str(path),
            kind=asked.kind,
            status=resource.states[path].status,
            waits_for=shown_wait(asked),
            answer=resource.states[path].answer,
            answered_by=resource.states[path].answered_by,
        )
        for path, asked in resource.asked.items()
    ]
