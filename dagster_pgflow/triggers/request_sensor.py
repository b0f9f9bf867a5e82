"""The sensor that turns requests into runs."""

import logging
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass

import dagster as dg

from dagster_pgflow.errors import InvalidFlow, StoreAccessDenied, ValueNotJson
from dagster_pgflow.json_values.text import read_json
from dagster_pgflow.model.defaults import input_of_run
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.names import TAG_RUN_ID
from dagster_pgflow.runtime.inputs import breach
from dagster_pgflow.store.requests import Requests, RunRequested
from dagster_pgflow.triggers.run_request import flow_run_request, referring_run_request

REQUESTS_PER_TICK = 50
MOST_INPUT_BYTES = 64 * 1024
"""The size up to which an input travels in the request; a larger one the run fetches itself.

So a tick reads and sends a few MB at most. Dagster 1.13 gives a message of a code server 100 MB.
"""
INTERVAL_S = 5


def build_request_sensor(
    name: str,
    queue: Requests,
    flows: Mapping[str, Flow],
    watermark: int,
    jobs: Sequence[dg.JobDefinition],
    *,
    without_job: Mapping[str, str] | None = None,
    job_prefix: str = "",
    flows_at: Callable[[int], Container[str]] | None = None,
) -> dg.SensorDefinition:
    """Return the sensor that starts a run for each row of `pgflow.run_requests`.

    The run id is the run key, so a request that is offered twice starts one run. A request
    stays pending until its run has been seen, so none is lost when the daemon stops half-way.

    The daemon asks the new code server already while it still has the list of jobs of the one
    before, and stumbles over a job that is not on it (Dagster 1.13: a bare `KeyError`). So the
    cursor says at which watermark the daemon last asked, and what has come since waits for the next
    tick.

    Args:
        name: The sensor's name.
        queue: The requests.
        flows: The flows of the code location.
        watermark: The moment as of which it has them; later requests wait for a reload.
        jobs: Their jobs.
        without_job: Why flows have no job, by slug.
        job_prefix: What the names of jobs begin with.
        flows_at: Returns which flows there were at an earlier watermark.
    """

    def evaluate(context: dg.SensorEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
        before, known = context.cursor, None
        if flows_at is not None and before not in (None, str(watermark)):
            known = flows_at(int(before or 0))
        context.update_cursor(str(watermark))
        requests = [
            request
            for request in queue.pending(REQUESTS_PER_TICK, watermark)
            if known is None or request.flow_slug in known
        ]
        launched = _launched(context.instance, requests)
        asking = _Asking(queue, flows, without_job or {}, job_prefix, context.log)
        asked = [
            (request.run_id, asking.safely(request))
            for request in requests
            if str(request.run_id) not in launched
        ]
        # First, so that what is not handed over can be taken back for certain. What could neither
        # be handled nor refused counts as well: it goes to the end of the queue.
        handed_over = queue.hand_over(run_id for run_id, _ in asked)
        runs = [run for run_id, run in asked if run is not None and run_id in handed_over]
        yield from runs
        if not runs:
            yield dg.SkipReason(
                "No request waits in pgflow.run_requests."
                if known is None
                else "Flows were loaded a moment ago; runs of new ones begin with the next tick."
            )

    return dg.SensorDefinition(
        name=name,
        evaluation_fn=evaluate,
        jobs=list(jobs),
        minimum_interval_seconds=INTERVAL_S,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Starts a run for each row that pgflow.start_flow wrote.",
    )


def _launched(instance: dg.DagsterInstance, requests: Sequence[RunRequested]) -> set[str]:
    """Return which requests have a run in Dagster that the projection has not seen yet."""
    if not requests:
        return set()
    run_ids = [str(request.run_id) for request in requests]
    runs = instance.get_runs(dg.RunsFilter(tags={TAG_RUN_ID: run_ids}))
    return {run.tags[TAG_RUN_ID] for run in runs}


@dataclass(frozen=True)
class _Asking:
    """Makes run requests of rows, each alone: whatever is the matter with one, the others go on.

    Attributes:
        queue: The requests.
        flows: The flows of the code location.
        without_job: Why flows have no job, by slug.
        job_prefix: What the names of jobs begin with.
        log: The log of the tick.
    """

    queue: Requests
    flows: Mapping[str, Flow]
    without_job: Mapping[str, str]
    job_prefix: str
    log: logging.Logger

    def safely(self, request: RunRequested) -> dg.RunRequest | None:
        """Return what asks Dagster for a run; `None` when the request is refused or set aside."""
        try:
            return self._asked(request)
        except (ValueNotJson, InvalidFlow, _Refused) as error:
            self.queue.refuse(request.run_id, str(error))
            self.log.warning("Refused run %s. %s", request.run_id, error)
        except Exception as error:
            if isinstance(error, StoreAccessDenied) or getattr(error, "trouble", None):
                # That says nothing about the request, and is the same for all.
                raise
            self.log.exception("Run %s cannot be asked for; it is set aside.", request.run_id)
        return None

    def _asked(self, request: RunRequested) -> dg.RunRequest:
        slug, run_id = request.flow_slug, request.run_id
        if slug in self.without_job:
            raise _Refused(self.without_job[slug])
        if slug not in self.flows:
            raise _Refused(f'Flow "{slug}" was deleted before this run could start.')
        schema = self.flows[slug].input_schema
        text = self.queue.small_input(run_id, MOST_INPUT_BYTES)
        if text is None:
            # Its schema is looked at where the run begins.
            return referring_run_request(slug, run_id, job_prefix=self.job_prefix)
        given = read_json(text, f'The input of flow "{slug}"')
        reason = breach(schema, input_of_run(schema, given))
        if reason is not None:
            raise _Refused(f'The input does not fit the input schema of flow "{slug}": {reason}')
        return flow_run_request(slug, given, run_id, job_prefix=self.job_prefix)


class _Refused(Exception):
    """The request cannot be run, for the reason that it says."""
