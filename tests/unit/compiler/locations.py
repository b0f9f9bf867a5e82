"""Job emitters as a code location has them, without a store."""

from collections.abc import Iterable

import dagster as dg

from dagster_pgflow.compiler.emit_job import JobEmitter, JobSettings
from dagster_pgflow.in_process.outputs import InMemoryIOManager, OutputsInMemory
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.names import IO_MANAGER_KEY, PGFLOW_KEY
from dagster_pgflow.runtime.handlers import HandlerRegistry
from tests.execution.harness import Handlers


def emitter(flows: Iterable[Flow], handlers: Handlers | None = None) -> JobEmitter:
    """Return what makes the jobs of these flows."""
    outputs = OutputsInMemory()
    resources = {PGFLOW_KEY: outputs, IO_MANAGER_KEY: InMemoryIOManager(outputs)}
    settings = JobSettings(resources, dg.in_process_executor)
    registry = HandlerRegistry.collect([handlers or {}])
    return JobEmitter({flow.slug: flow for flow in flows}, registry, settings)
