"""The sensor that turns requests into runs."""

from collections.abc import Iterator, Mapping, Sequence

import dagster as dg

from dagster_pgflow.errors import InvalidFlow
from dagster_pgflow.model.defaults import input_of_run
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.names import TAG_RUN_ID
from dagster_pgflow.runtime.inputs import breach
from dagster_pgflow.store.requests import Requests, RunRequested
from dagster_pgflow.triggers.run_request import flow_run_request

REQUESTS_PER_TICK = 50
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
) -> dg.SensorDefinition:
    """Return the sensor that starts a run for each row of `pgflow.run_requests`.

    The run id is the run key, so a request that is offered twice starts one run. A request
    stays pending until its run has been seen, so none is lost when the daemon stops half-way.

    Args:
        name: The sensor's name.
        queue: The requests.
        flows: The flows of the code location.
        watermark: The moment as of which it has them; later requests wait for a reload.
        jobs: Their jobs.
        without_job: Why flows have no job, by slug.
        job_prefix: What the names of jobs begin with.
    """

    def evaluate(context: dg.SensorEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
        requests = queue.pending(REQUESTS_PER_TICK, watermark)
        launched = _launched(context.instance, requests)
        waiting: list[RunRequested] = []
        for request in requests:
            reason = (without_job or {}).get(request.flow_slug) or _refusal(flows, request)
            if reason is not None:
                queue.refuse(request.run_id, reason)
                context.log.warning("Refused run %s. %s", request.run_id, reason)
            elif str(request.run_id) not in launched:
                waiting.append(request)
        # First, so that what is not handed over can be taken back for certain.
        handed_over = queue.hand_over(request.run_id for request in waiting)
        for request in waiting:
            if request.run_id in handed_over:
                yield flow_run_request(
                    request.flow_slug, request.input, request.run_id, job_prefix=job_prefix
                )
        if not handed_over:
            yield dg.SkipReason("No request waits in pgflow.run_requests.")

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


def _refusal(flows: Mapping[str, Flow], request: RunRequested) -> str | None:
    slug = request.flow_slug
    if slug not in flows:
        return f'Flow "{slug}" was deleted before this run could start.'
    try:
        schema = flows[slug].input_schema
        reason = breach(schema, input_of_run(schema, request.input))
    except InvalidFlow as invalid:
        return str(invalid)
    if reason is None:
        return None
    return f'The input does not fit the input schema of flow "{slug}": {reason}'
