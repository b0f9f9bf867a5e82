"""Flows that live in Postgres, run by Dagster.

The public names are loaded when they are first asked for, so that importing the definition half
(`dagster_pgflow.model`, `dagster_pgflow.store`) does not import Dagster.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from dagster_pgflow.version import __version__

if TYPE_CHECKING:
    from dagster_pgflow.components.pgflow_component import PgflowComponent
    from dagster_pgflow.dsl.manifest_text import read_manifest
    from dagster_pgflow.dsl.workflow.writing import write_workflow
    from dagster_pgflow.dsl.workflow_cells import register_workflow_cell, workflow_to_cell
    from dagster_pgflow.dsl.workflow_json import read_workflow
    from dagster_pgflow.errors import PgflowError
    from dagster_pgflow.flow_resource import PgflowResource
    from dagster_pgflow.in_process.flow import execute_flow, execute_flow_async
    from dagster_pgflow.in_process.result import FlowResult
    from dagster_pgflow.io_manager import PgflowIOManager
    from dagster_pgflow.load_defs import build_definitions, build_repository
    from dagster_pgflow.model.flow import Flow
    from dagster_pgflow.model.fragment import Fragment
    from dagster_pgflow.runtime.context import StepContext
    from dagster_pgflow.runtime.handlers import handler
    from dagster_pgflow.settings import database_url
    from dagster_pgflow.step_errors import NonRetryable, RetryAfter
    from dagster_pgflow.store.answers import Answers
    from dagster_pgflow.store.database import Database
    from dagster_pgflow.store.flows import FlowBuilder
    from dagster_pgflow.store.requests import Requests
    from dagster_pgflow.store.run_outcomes import RunCancelled, RunFailed, RunTimedOut
    from dagster_pgflow.store.triggers import Triggers
    from dagster_pgflow.translator import PgflowTranslator
    from dagster_pgflow.triggers.run_request import flow_run_request

__all__ = [
    "Answers",
    "Database",
    "Flow",
    "FlowBuilder",
    "FlowResult",
    "Fragment",
    "NonRetryable",
    "PgflowComponent",
    "PgflowError",
    "PgflowIOManager",
    "PgflowResource",
    "PgflowTranslator",
    "Requests",
    "RetryAfter",
    "RunCancelled",
    "RunFailed",
    "RunTimedOut",
    "StepContext",
    "Triggers",
    "__version__",
    "build_definitions",
    "build_repository",
    "database_url",
    "execute_flow",
    "execute_flow_async",
    "flow_run_request",
    "handler",
    "read_manifest",
    "read_workflow",
    "register_workflow_cell",
    "workflow_to_cell",
    "write_workflow",
]

_HOMES = {
    "Answers": "store.answers",
    "Database": "store.database",
    "Flow": "model.flow",
    "FlowBuilder": "store.flows",
    "FlowResult": "in_process.result",
    "Fragment": "model.fragment",
    "NonRetryable": "step_errors",
    "PgflowComponent": "components.pgflow_component",
    "PgflowError": "errors",
    "PgflowIOManager": "io_manager",
    "PgflowResource": "flow_resource",
    "PgflowTranslator": "translator",
    "Requests": "store.requests",
    "RetryAfter": "step_errors",
    "RunCancelled": "store.run_outcomes",
    "RunFailed": "store.run_outcomes",
    "RunTimedOut": "store.run_outcomes",
    "StepContext": "runtime.context",
    "Triggers": "store.triggers",
    "build_definitions": "load_defs",
    "build_repository": "load_defs",
    "database_url": "settings",
    "execute_flow": "in_process.flow",
    "execute_flow_async": "in_process.flow",
    "flow_run_request": "triggers.run_request",
    "handler": "runtime.handlers",
    "read_manifest": "dsl.manifest_text",
    "read_workflow": "dsl.workflow_json",
    "register_workflow_cell": "dsl.workflow_cells",
    "workflow_to_cell": "dsl.workflow_cells",
    "write_workflow": "dsl.workflow.writing",
}


def __getattr__(name: str) -> Any:
    """Load a public name from the module that holds it."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    """Return the public names."""
    return __all__
