"""The sensor that turns requests into runs."""

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import dagster as dg

from dagster_pgflow.dagster_log.which_log import log_of
from dagster_pgflow.errors import InvalidFlow, StoreAccessDenied, StoreError
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.names import TAG_PRIORITY, TAG_RUN_ID
from dagster_pgflow.step_errors import ValueNotJson
from dagster_pgflow.store.requests import Requests, RunRequested
from dagster_pgflow.store.trigger_queue import TriggerQueue
from dagster_pgflow.triggers.continued_runs import ContinuedRuns
from dagster_pgflow.triggers.created_runs import CreatedRuns
from dagster_pgflow.triggers.run_of_request import RequestRefused, run_of_request

REQUESTS_PER_TICK = 50
INTERVAL_S = 5
MOST_S = 25.0
"""How long a tick goes on creating runs. The daemon gives it a minute; flows of thousands of steps
take seconds each."""

_NOTHING = "No request waits in pgflow.run_requests, and no run is to go on."
_LATER = "Jobs were compiled for as long as a tick may take; their runs begin with the next one."


def build_request_sensor(
    name: str,
    queue: Requests,
    flows: Mapping[str, Flow],
    watermark: int,
    *,
    jobs: Mapping[str, dg.JobDefinition],
    created: CreatedRuns,
    continued: ContinuedRuns,
    events: TriggerQueue,
    reason_without_job: Callable[[str], str | None] = lambda _: None,
    job_prefix: str = "",
) -> dg.SensorDefinition:
    """Return the sensor that starts a run for each row of `pgflow.run_requests`.

    Before, it lets triggers look at events, which makes such rows.

    The run id is the run key, so a request that is offered twice starts one run. A request
    stays pending until its run has been seen, so none is lost when the daemon stops half-way.

    A flow that is a job, in a version that the code location has, Dagster's daemon starts; it runs
    as the code location has it. For all others the sensor creates the runs itself, in the version
    that was asked for, so nobody waits for a reload. It does so for all in the first tick behind
    one: the daemon asks the new code server already while it still has the list of jobs of the
    one before, and stumbles over a job that is not on it (Dagster 1.13: a bare `KeyError`). So the
    cursor says at which watermark the daemon last asked.

    Args:
        flows: The flows of the code location.
        watermark: The moment as of which it has them.
        jobs: The jobs of flows that it lists, by slug.
        created: Creates runs of the others.
        continued: Goes on with runs that have waited.
        events: What triggers have to look at.
        reason_without_job: Returns why a flow can have no job, if it cannot.
        job_prefix: What the names of jobs begin with.
    """

    def evaluate(context: dg.SensorEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
        _let_triggers_look(context, events)
        has_just_loaded = context.cursor not in (None, str(watermark))
        context.update_cursor(str(watermark))
        listed = frozenset[str]() if has_just_loaded else jobs.keys()
        tick = _Tick(
            context, queue, flows, watermark, listed, created, reason_without_job, job_prefix
        )
        runs = [*continued.run_requests(context, REQUESTS_PER_TICK, tick.is_over)]
        runs += tick.run_requests()
        yield from runs
        if not runs:
            yield dg.SkipReason(_LATER if tick.is_over() else _NOTHING)

    return dg.SensorDefinition(
        name=name,
        evaluation_fn=evaluate,
        jobs=[*jobs.values(), created.stand_in],
        minimum_interval_seconds=INTERVAL_S,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Starts a run for each row that pgflow.start_flow wrote.",
    )


def _let_triggers_look(context: dg.SensorEvaluationContext, events: TriggerQueue) -> None:
    try:
        events.look()
    except StoreError as error:
        # What was asked for starts all the same.
        context.log.warning("No trigger looks at events. %s", error)


@dataclass(frozen=True)
class _Asked:
    """What one request asks for.

    Attributes:
        request: The request.
        run: The run of the flow's job; `None` when it is refused or set aside.
        is_created: Whether the run is there already, and waits to be submitted.
    """

    request: RunRequested
    run: dg.RunRequest | None
    is_created: bool = False


@dataclass(frozen=True)
class _Tick:
    """One tick: makes run requests of rows, each alone, so that with one the others go on.

    Attributes:
        context: What Dagster gives to the tick.
        queue: The requests.
        flows: The flows of the code location.
        watermark: As of when.
        listed: Those whose jobs the daemon certainly knows.
        created: Creates runs of the others.
        events: What triggers have to look at.
        reason_without_job: Returns why a flow can have no job, if it cannot.
        job_prefix: What the names of jobs begin with.
        ends_at: When the tick has taken as long as it may, by `time.monotonic`.
    """

    context: dg.SensorEvaluationContext
    queue: Requests
    flows: Mapping[str, Flow]
    watermark: int
    listed: Collection[str]
    created: CreatedRuns
    reason_without_job: Callable[[str], str | None]
    job_prefix: str
    ends_at: float = field(default_factory=lambda: time.monotonic() + MOST_S)

    def run_requests(self) -> Iterator[dg.RunRequest]:
        """Yield what Dagster's daemon shall start."""
        own_log = log_of(self.context.instance)
        asked = list(self._asked(own_log))
        # First, so that what is not handed over can be taken back for certain. What could neither
        # be handled nor refused counts as well: it goes to the end of the queue.
        handed_over = self.queue.hand_over((one.request.run_id for one in asked), own_log)
        for one in asked:
            if one.request.run_id in handed_over and one.run is not None:
                handed = self._safely(one.request, partial(self._handed, one))
                if handed is not None:
                    yield handed

    def _asked(self, own_log: str | None) -> Iterator[_Asked]:
        requests = self.queue.pending(REQUESTS_PER_TICK, own_log=own_log)
        runs = _runs_of(self.context.instance, requests)
        for request in requests:
            if self.is_over():
                return
            run = runs.get(str(request.run_id))
            if run is None:
                yield _Asked(request, self._safely(request, partial(self._run_of, request)))
            elif self.created.awaits_submission(run):
                yield _Asked(request, self.created.submission(request), is_created=True)

    def _handed(self, asked: _Asked) -> dg.RunRequest | None:
        if asked.run is None or asked.is_created or self._is_listed(asked.request):
            return asked.run
        return (
            None if self.is_over() else self.created.create(self.context, asked.request, asked.run)
        )

    def _run_of(self, request: RunRequested) -> dg.RunRequest:
        slug = request.flow_slug
        reason = self.reason_without_job(slug)
        if reason is not None:
            raise RequestRefused(reason)
        flows = self.flows
        was_deleted = slug not in flows and request.version_id <= self.watermark
        if not self._is_listed(request) and not was_deleted:
            flows = self.created.flows(request)
        return run_of_request(
            self.queue, flows, slug, request.run_id, self.job_prefix, tags=_tags(request)
        )

    def _is_listed(self, request: RunRequested) -> bool:
        return request.flow_slug in self.listed and request.version_id <= self.watermark

    def is_over(self) -> bool:
        """Return whether the tick has taken as long as it may."""
        return time.monotonic() > self.ends_at

    def _safely(
        self, request: RunRequested, make: Callable[[], dg.RunRequest | None]
    ) -> dg.RunRequest | None:
        """Return what is made of a request; `None` when it is refused or set aside."""
        log = self.context.log
        try:
            return make()
        except (ValueNotJson, InvalidFlow, RequestRefused) as error:
            self.queue.refuse(request.run_id, str(error))
            log.warning("Refused run %s. %s", request.run_id, error)
        except Exception as error:
            if isinstance(error, StoreAccessDenied) or getattr(error, "trouble", None):
                # That says nothing about the request, and is the same for all.
                raise
            log.exception("Run %s could not be requested; it is tried again.", request.run_id)
        return None


def _runs_of(
    instance: dg.DagsterInstance, requests: Sequence[RunRequested]
) -> dict[str, dg.DagsterRun]:
    """Return the runs in Dagster that the projection has not seen yet, by request."""
    if not requests:
        return {}
    run_ids = [str(request.run_id) for request in requests]
    runs = instance.get_runs(dg.RunsFilter(tags={TAG_RUN_ID: run_ids}))
    return {run.tags[TAG_RUN_ID]: run for run in runs}


def _tags(request: RunRequested) -> dict[str, str]:
    """Return what tells Dagster's queue of the priority; a tenant's counts among its own alone."""
    if request.priority == 0 or request.tenant:
        return {}
    return {TAG_PRIORITY: str(request.priority)}
