"""Asks those who should know whether the process that executes a run is alive."""

import json
from dataclasses import dataclass
from typing import Final

import dagster as dg

from dagster_pgflow.compat import (
    GRPC_INFO_TAG,
    CanCancelExecutionRequest,
    CanCancelExecutionResult,
    DagsterGrpcClient,
    deserialize_value,
)
from dagster_pgflow.projection.silence import Worker

ANSWER_S: Final = 5


@dataclass(frozen=True, slots=True)
class WorkerHealth:
    """What is known of the process of a run.

    Attributes:
        worker: Whether it is alive.
        told: What the run launcher says of it, if it says something.
    """

    worker: Worker
    told: str | None = None


def worker_health(instance: dg.DagsterInstance, run: dg.DagsterRun) -> WorkerHealth:
    """Ask the run launcher, or else the code server, about the process of a run.

    Only a run launcher can say that a process is gone. A code server that does not know a run
    proves nothing: it may have been loaded again since, and the process goes on.

    Args:
        instance: The Dagster instance.
        run: The run.

    Raises:
        Exception: Whatever the launcher raises when its platform does not answer.
    """
    launcher = instance.run_launcher
    if not launcher.supports_check_run_worker_health:
        return WorkerHealth("alive" if _is_on_its_code_server(run) else "unknown")
    health = launcher.check_run_worker_health(run)
    told = health.msg or f"its run launcher says {health.status.value}"
    match health.status.value:
        case "RUNNING":
            return WorkerHealth("alive", told)
        # A worker that has succeeded and yet left its run open will not close it any more.
        case "FAILED" | "NOT_FOUND" | "SUCCESS" if not health.transient:
            return WorkerHealth("dead", told)
        case _:
            return WorkerHealth("unknown", told)


def _is_on_its_code_server(run: dg.DagsterRun) -> bool:
    """Say whether the code server that the run was started on answers that it executes it."""
    address = json.loads(run.tags.get(GRPC_INFO_TAG, "null"))
    if address is None:
        return False
    client = DagsterGrpcClient(
        host=address.get("host"),
        port=address.get("port"),
        socket=address.get("socket"),
        use_ssl=bool(address.get("use_ssl")),
    )
    try:
        question = CanCancelExecutionRequest(run_id=run.run_id)
        answer = client.can_cancel_execution(question, ANSWER_S)
        return bool(deserialize_value(answer, CanCancelExecutionResult).can_cancel)
    except Exception:  # noqa: BLE001  a server that is gone answers with errors of many kinds
        return False
