"""The private parts of Dagster that this package needs, each with the reason.

Tried with Dagster 1.13.
"""

from collections.abc import Mapping, Sequence
from inspect import currentframe
from typing import Any

import dagster as dg

# A number in run config that stays what it is. Of the public types, Float makes floats of integers,
# and Int refuses 1.0, which JSON Schema takes for an integer.
from dagster._config import ConfigScalar, ConfigScalarKind

# The dependency on all outputs behind a dynamic output. Public code can only write it as
# `.collect()` inside a @graph function; a plan that is data needs the class itself.
# Says whether a code location is loaded for the first time or rebuilt in a run worker, and with
# what metadata. Public code can only reach it from inside a component or an asset loader.
from dagster._core.definitions.definitions_load_context import (
    DefinitionsLoadContext,
    DefinitionsLoadType,
)
from dagster._core.definitions.dependency import DynamicCollectDependencyDefinition

# A run that exists already, executed in this process, with its outputs at hand. Public code can
# only execute a job in process as a run that belongs to no code location, so that Dagster's UI
# neither shows what it ran nor runs it again.
from dagster._core.definitions.job_base import InMemoryJob

# For which job a process that serves a run loads its code location. Public code loads definitions
# whole; who knows the job needs no other, and nothing of ours for a job that is not ours.
from dagster._core.definitions.reconstruct import ReconstructableJob

# How a repository keeps its definitions. The public form in which jobs are made when they are
# asked for, a dict, has no place for assets.
from dagster._core.definitions.repository_definition.repository_data import CachingRepositoryData

# How an exception is shown. Public code can only raise one, and Dagster shows it with each frame
# that it came through; of this class it shows what it is told to.
from dagster._core.errors import DagsterUserCodeProcessError

# What an attempt did that another one follows. Of the events that public code can write, an
# output ends the step, a log line has no metadata, and ExpectationResult is deprecated. And why a
# run failed: of one that is ended from outside, public code can only say a sentence.
from dagster._core.events import EngineEventData, JobFailureData, RunFailureReason
from dagster._core.execution.api import (
    ExecuteRunWithPlanIterable,
    create_execution_plan,
    job_execution_iterator,
)
from dagster._core.execution.context_creation_job import (
    PlanOrchestrationContextManager,
    orchestration_context_event_generator,
)

# What a run goes on with that executes only some steps: which outputs the runs before it have, and
# what they fanned out; and the plan that says what feeds what. Public code can only let Dagster
# choose these steps, which forgets elements of a map (`dagster_pgflow.resumption`).
from dagster._core.execution.plan.handle import (
    ResolvedFromDynamicStepHandle,
    StepHandle,
    UnresolvedStepHandle,
)

# How many outputs should come together in an input. Public code sees only those that came.
from dagster._core.execution.plan.inputs import FromMultipleSources
from dagster._core.execution.plan.outputs import StepOutputHandle
from dagster._core.execution.plan.state import KnownExecutionState, PastExecutionState

# How a code server describes a job. Whether Dagster can write it, and read it again, shows only
# when it is tried, and public code learns it from a code location that does not load.
from dagster._core.remote_representation.external_data import JobDataSnap
from dagster._core.snap.execution_plan_snapshot import (
    ExecutionPlanSnapshot,
    ExecutionStepInputSnap,
    ExecutionStepSnap,
    snapshot_from_execution_plan,
)

# Whether a code server executes a run. The default run launcher has no check of its workers, but
# the server that it starts them on knows them; public code has no client of a code server.
from dagster._core.storage.tags import GRPC_INFO_TAG
from dagster._grpc.client import DagsterGrpcClient
from dagster._grpc.types import CanCancelExecutionRequest, CanCancelExecutionResult
from dagster._serdes import deserialize_value, serialize_value

# Whether somebody asked the process to stop while Dagster was at something that must not be
# interrupted. A run inside a run forgets that when it ends.
from dagster._utils.interrupts import check_captured_interrupt

# What such an exception is shown as.
from dagster_shared.error import SerializableErrorInfo


def job_to_run() -> str | None:
    """Return the job for which Dagster loads this code location now; `None` where nobody says."""
    frame = currentframe()
    while frame is not None:
        asking = frame.f_locals.get("self")
        if isinstance(asking, ReconstructableJob):
            return asking.job_name
        frame = frame.f_back
    return None


def repository_data(
    definitions: Mapping[str, Mapping[str, Any]], specs: Sequence[dg.AssetSpec] = ()
) -> dg.RepositoryData:
    """Return what a repository has: definitions that are made when they are asked for, and assets.

    Args:
        definitions: What makes each job, schedule and sensor, by kind and name.
        specs: The assets.
    """
    data = CachingRepositoryData.from_dict({kind: {**made} for kind, made in definitions.items()})
    assets = {spec.key: dg.AssetsDefinition(specs=[spec]) for spec in specs}
    vars(data).update(_assets_defs_by_key=assets)
    return data


__all__ = [
    "GRPC_INFO_TAG",
    "CanCancelExecutionRequest",
    "CanCancelExecutionResult",
    "ConfigScalar",
    "ConfigScalarKind",
    "DagsterGrpcClient",
    "DagsterUserCodeProcessError",
    "DefinitionsLoadContext",
    "DefinitionsLoadType",
    "DynamicCollectDependencyDefinition",
    "EngineEventData",
    "ExecuteRunWithPlanIterable",
    "ExecutionPlanSnapshot",
    "ExecutionStepInputSnap",
    "ExecutionStepSnap",
    "FromMultipleSources",
    "InMemoryJob",
    "JobDataSnap",
    "JobFailureData",
    "KnownExecutionState",
    "PastExecutionState",
    "PlanOrchestrationContextManager",
    "ResolvedFromDynamicStepHandle",
    "RunFailureReason",
    "SerializableErrorInfo",
    "StepHandle",
    "StepOutputHandle",
    "UnresolvedStepHandle",
    "check_captured_interrupt",
    "create_execution_plan",
    "deserialize_value",
    "job_execution_iterator",
    "job_to_run",
    "orchestration_context_event_generator",
    "repository_data",
    "serialize_value",
    "snapshot_from_execution_plan",
]
