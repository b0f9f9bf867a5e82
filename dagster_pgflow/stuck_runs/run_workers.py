"""Asks those who should know whether the process that executes a run is alive."""

import json
from dataclasses import dataclass
from typing import Final, Protocol
from uuid import UUID

import dagster as dg

from dagster_pgflow.compat import (
    GRPC_INFO_TAG,
    CanCancelExecutionRequest,
    CanCancelExecutionResult,
    DagsterGrpcClient,
    deserialize_value,
)
from dagster_pgflow.launching.wrapping_launcher import ordinary_launcher
from dagster_pgflow.store.live_runs import SILENT_FOR_S
from dagster_pgflow.stuck_runs.silence import Worker

ANSWER_S: Final = 5


@dataclass(frozen=True, slots=True)
class WorkerHealth:
    """What is known of the process of a run.

    Attributes:
        worker: Whether it is alive.
        launcher_says: What the run launcher says of it, if it says something.
    """

    worker: Worker
    launcher_says: str | None = None


class LiveRunList(Protocol):
    """The runs of live workers; `store.live_runs.LiveRuns` is it, and says what a method does."""

    def silence(self, dagster_run_id: UUID) -> float | None: ...  # noqa: D102
    def release(self, dagster_run_id: UUID) -> None: ...  # noqa: D102


def worker_health(
    instance: dg.DagsterInstance, live_runs: LiveRunList, run: dg.DagsterRun
) -> WorkerHealth:
    """Ask live workers, or else the run launcher, or else the code server, about a run's process.

    The process of a live worker says every second that it is at work. Of all others, only a run
    launcher can say that they are gone. A code server that does not know a run proves nothing: it
    may have been loaded again since, and the process goes on.

    Args:
        instance: The Dagster instance.
        live_runs: The runs of live workers.
        run: The run.

    Raises:
        Exception: Whatever the launcher raises when its platform does not answer.
    """
    silence = live_runs.silence(UUID(run.run_id))
    if silence is not None and silence < SILENT_FOR_S:
        return WorkerHealth("alive")
    if silence is not None:
        return WorkerHealth("dead", f"its live worker has said nothing for {silence:.0f} s")
    launcher = ordinary_launcher(instance.run_launcher)
    if not launcher.supports_check_run_worker_health:
        return WorkerHealth("alive" if _is_on_its_code_server(run) else "unknown")
    health = launcher.check_run_worker_health(run)
    says = health.msg or f"its run launcher says {health.status.value}"
    match health.status.value:
        case "RUNNING":
            return WorkerHealth("alive", says)
        # A worker that has succeeded and yet left its run open will not close it any more.
        case "FAILED" | "NOT_FOUND" | "SUCCESS" if not health.transient:
            return WorkerHealth("dead", says)
        case _:
            return WorkerHealth("unknown", says)


def _is_on_its_code_server(run: dg.DagsterRun) -> bool:
    """Return whether the code server that the run was started on answers that it executes it."""
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
