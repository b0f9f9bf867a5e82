"""Job emitters as a code location has them, without a store."""

from collections.abc import Iterable

import dagster as dg

from dagster_pgflow.compiler.emit_job import JobEmitter, JobSettings
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.names import IO_MANAGER_KEY, PGFLOW_KEY
from dagster_pgflow.runtime.handlers import HandlerRegistry
from tests.execution.harness import Handlers, JsonIOManager, MemoryOfThisProcess


def emitter(flows: Iterable[Flow], handlers: Handlers | None = None) -> JobEmitter:
    """Return what makes the jobs of these flows."""
    outputs = JsonIOManager()
    resources = {PGFLOW_KEY: MemoryOfThisProcess(outputs), IO_MANAGER_KEY: outputs}
    settings = JobSettings(resources, dg.in_process_executor)
    registry = HandlerRegistry.collect([handlers or {}])
    return JobEmitter({flow.slug: flow for flow in flows}, registry, settings)
