"""A run of Dagster that is made, executed and ended in this process, as its run worker would."""

import logging
import os
from typing import Final

import dagster as dg

from dagster_pgflow.launching.flow_runs import create_flow_run, dagster_run_id
from dagster_pgflow.live.compat import (
    SENSOR_NAME_TAG,
    EngineEventData,
    InMemoryJob,
    execute_run_iterator,
)
from dagster_pgflow.live.target import ServedLocation
from dagster_pgflow.names import TAG_RUN_KEY
from dagster_pgflow.store.claims import ClaimedRequest

_log = logging.getLogger(__name__)

NOT_BEGUN: Final = (dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTING)


def ensure_run(
    instance: dg.DagsterInstance,
    served: ServedLocation,
    job: dg.JobDefinition,
    asked: dg.RunRequest,
    claimed: ClaimedRequest,
) -> dg.DagsterRun:
    """Return the run of a request, making it unless somebody has, who then died.

    It looks like one that the request sensor started: Dagster's daemon, which starts no second run
    of a sensor with the same run key, sees it as that.

    Args:
        instance: The Dagster instance.
        served: The code location.
        job: The job.
        asked: What is asked for.
        claimed: The request.
    """
    wanted = dagster_run_id(claimed.run_id)
    known = instance.get_run_by_id(str(wanted))
    if known is not None:
        return known
    of_sensor = {
        SENSOR_NAME_TAG: served.location.request_sensor,
        TAG_RUN_KEY: str(claimed.run_id),
    }
    return create_flow_run(
        instance,
        job,
        served.origins,
        watermark=claimed.version_id,
        run_id=wanted,
        run_config=asked.run_config,
        tags={**asked.tags, **of_sensor},
    )


def execute(
    instance: dg.DagsterInstance, job: dg.JobDefinition, run: dg.DagsterRun, worker: str
) -> None:
    """Execute a run to its end.

    Whatever happens in it is in Dagster's log afterwards, and it is over.

    Args:
        instance: The Dagster instance.
        job: The job, as the run is pinned to it.
        run: The run, which nobody has begun.
        worker: Who executes it, for the log.
    """
    process = os.getpid()
    instance.report_engine_event(
        f"Started execution in {worker} (pid: {process}).",
        run,
        EngineEventData.in_process(process),
    )
    try:
        for _event in execute_run_iterator(InMemoryJob(job), run, instance):
            pass
    except BaseException as error:  # noqa: BLE001  a handler may raise SystemExit, too
        _log.warning("Run %s could not be executed.", run.run_id, exc_info=error)
        end(instance, run.run_id, f"The run could not be executed: {error!r}")


def end(instance: dg.DagsterInstance, dagster_run_id: str, reason: str) -> None:
    """End a run that nobody executes any more, unless it is over.

    Args:
        instance: The Dagster instance.
        dagster_run_id: The run.
        reason: Why it ends, for people.
    """
    run = instance.get_run_by_id(dagster_run_id)
    if run is None or run.is_finished:
        return
    if run.status is dg.DagsterRunStatus.CANCELING:
        instance.report_run_canceled(run, message=reason)
    else:
        instance.report_run_failed(run, message=reason)
