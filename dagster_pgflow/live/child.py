"""A child: claims one run after the other, executes each, and writes its rows."""

import logging
import os
import signal
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Final
from uuid import UUID

import dagster as dg

from dagster_pgflow.dagster_log.changed_runs import found_run
from dagster_pgflow.dagster_log.pinned_tags import pinned_tags
from dagster_pgflow.dagster_log.which_log import log_of
from dagster_pgflow.errors import InvalidFlow, PgflowError, StoreError, UnknownFlow
from dagster_pgflow.live.channel import Channel
from dagster_pgflow.live.dagster_run import NOT_BEGUN, end, ensure_run, execute
from dagster_pgflow.live.deployment_limits import DeploymentLimits
from dagster_pgflow.live.messages import Began, Bury, Claiming, Ended, Leave, Trouble, Wake
from dagster_pgflow.live.serving import Serving
from dagster_pgflow.live.watch import Alarm, RunWatch
from dagster_pgflow.names import TAG_FLOW, TAG_ORDINARY, TAG_RUN_ID, TAG_WATERMARK, own_tag
from dagster_pgflow.resumption.claimed import ClaimedRuns, NotYet
from dagster_pgflow.step_errors import ValueNotJson
from dagster_pgflow.store.claims import ClaimedRequest, Claims
from dagster_pgflow.store.continuations import Continuations
from dagster_pgflow.store.database import Transaction
from dagster_pgflow.store.live_runs import LiveRuns
from dagster_pgflow.store.requests import Requests
from dagster_pgflow.store.trigger_queue import TriggerQueue
from dagster_pgflow.triggers.run_of_request import RequestRefused, run_of_request

_log = logging.getLogger(__name__)

RUNS_PER_CHILD: Final = 100
"""A child ends after so many runs: what handlers leave behind in it does not grow for ever."""

LOOKS_AT_END: Final = 5
"""How often the rows of a run that has ended are tried, when another process writes them too."""

PAUSE_S: Final = 0.5
"""How long a child rests after trouble that is no run's own."""


class Child:
    """Serves until nobody sends it anything any more.

    Args:
        serving: The code location and Dagster.
        work: Where it is woken.
    """

    def __init__(self, serving: Serving, work: Channel) -> None:
        database = serving.served.location.database
        self._serving = serving
        self._work = work
        self._database = database
        self._own_log = log_of(serving.instance)
        self._claims = Claims(database)
        self._requests = Requests(database)
        self._continuations = Continuations(database)
        self._events = TriggerQueue(database)
        self._live_runs = LiveRuns(database)
        self._limits = DeploymentLimits.of(serving.instance)
        self._watch = RunWatch(serving.instance, self._live_runs, serving.worker_id, Alarm())
        self._claimed_runs = ClaimedRuns(
            serving.instance,
            self._continuations,
            serving.job,
            serving.served.origins,
            serving.served.location.request_sensor,
            serving.store.tables.announce,
            self._own_log,
        )
        self._served = 0
        # Between runs nothing is interrupted: a signal that was meant for a run came too late.
        signal.signal(signal.SIGINT, lambda _number, _frame: None)

    def serve(self) -> None:
        """Execute runs until the other end closes, or this child has served for long enough."""
        self._safely(self._execute_what_waits)
        while self._served < RUNS_PER_CHILD:
            message = self._work.receive()
            match message:
                case None:
                    return
                case Bury():
                    self._safely(partial(self._bury, message))
                case Leave():
                    self._safely(partial(self._leave, message))
                case Wake():
                    pass
                case _:
                    raise ValueError(f"A child does not understand {message}.")
            self._safely(self._execute_what_waits)

    def _safely(self, work: Callable[[], None]) -> None:
        """Do work, and outlive what is no run's own trouble, such as a database that is away."""
        try:
            work()
        except Exception as error:  # noqa: BLE001  whatever it is, the next may do better
            reason = str(error) if isinstance(error, PgflowError) else repr(error)
            self._serving.report(Trouble(os.getpid(), reason[:2000]))
            _log.debug("%s", reason, exc_info=error)
            time.sleep(PAUSE_S)

    def _execute_what_waits(self) -> None:
        # Once the other end is closed, what waits is for others: those who replace this one.
        while self._served < RUNS_PER_CHILD and not self._work.is_over and self._execute_next():
            self._served += 1

    def _execute_next(self) -> bool:
        """Execute the run that is to start next; return whether there was one."""
        self._let_triggers_look()
        location, worker_id = self._serving.served.name, self._serving.worker_id
        offered = self._live_runs.take(location, worker_id)
        if offered is not None:
            self._execute_offered(offered)
            return True
        if not self._limits.has_room(self._serving.instance):
            return False
        # What is under way first: it has waited long enough.
        claimed = self._database.run(self._continue_one, is_repeatable=False) or self._database.run(
            self._claim_one, is_repeatable=False
        )
        if claimed is None:
            return False
        claimed()
        return True

    def _let_triggers_look(self) -> None:
        try:
            self._events.look()
        except StoreError as error:
            # What was asked for starts all the same.
            reason = f"No trigger looks at events. {error}"
            self._serving.report(Trouble(os.getpid(), reason[:2000]))

    def _continue_one(self, transaction: Transaction) -> Callable[[], None] | None:
        """Claim a run that is to go on; return what is to be done once that is committed."""
        claimed = self._continuations.next(transaction, in_queue=False, own_log=self._own_log)
        if claimed is None:
            return None
        self._serving.report(Claiming(os.getpid(), str(claimed.run_id), claimed.number))
        made = self._claimed_runs.make(transaction, claimed, self._limits.concern)
        if isinstance(made, NotYet):
            return partial(self._tell, made.reason)
        run, pinned = made.run, made.pinned
        dagster_run_id = UUID(run.run_id)
        if run.is_finished:
            return lambda: self._write_rows(dagster_run_id)
        has_somebody = self._live_runs.is_taken(dagster_run_id) is not None
        if pinned is None or has_somebody or not _is_for_us(run):
            return lambda: None
        self._live_runs.hold(
            transaction, dagster_run_id, self._serving.served.name, self._serving.worker_id
        )
        return lambda: self._execute(run, pinned.flow_slug, pinned.watermark, 0.0)

    def _claim_one(self, transaction: Transaction) -> Callable[[], None] | None:
        """Claim a request; return what is to be done with it once that is committed."""
        claimed = self._claims.next(transaction)
        if claimed is None:
            return None
        slug = claimed.flow_slug
        self._serving.report(Claiming(os.getpid(), str(claimed.run_id)))
        try:
            pinned = self._serving.jobs.get(slug, claimed.version_id)
            asked = self._asked(claimed)
        except (RequestRefused, ValueNotJson, InvalidFlow, UnknownFlow) as error:
            reason = str(error)
            return lambda: self._refuse(claimed, reason)
        if self._limits.concern({**pinned.job.run_tags, **asked.tags}):
            self._claims.leave_to_queue(transaction, claimed.run_id)
            return lambda: None
        run = ensure_run(self._serving.instance, self._serving.served, pinned.job, asked, claimed)
        dagster_run_id = UUID(run.run_id)
        self._claims.bind(transaction, claimed, dagster_run_id, self._own_log)
        self._live_runs.hold(
            transaction, dagster_run_id, self._serving.served.name, self._serving.worker_id
        )
        waited = (datetime.now(UTC) - claimed.created_at).total_seconds()
        return lambda: self._execute(run, slug, claimed.version_id, waited)

    def _asked(self, claimed: ClaimedRequest) -> dg.RunRequest:
        location, slug = self._serving.served.location, claimed.flow_slug
        reason = location.reason_without_job(slug)
        if reason is not None:
            raise RequestRefused(reason)
        flows = self._serving.jobs.get(slug, claimed.version_id).flows
        return run_of_request(self._requests, flows, slug, claimed.run_id, location.job_prefix)

    def _refuse(self, claimed: ClaimedRequest, reason: str) -> None:
        self._requests.refuse(claimed.run_id, reason)
        self._tell(f"Refused run {claimed.run_id}. {reason}")

    def _execute_offered(self, dagster_run_id: UUID) -> None:
        """Execute a run that a run launcher, or the death of another child, has left to us."""
        instance = self._serving.instance
        record = instance.get_run_record_by_id(str(dagster_run_id))
        run = None if record is None else record.dagster_run
        if run is not None and run.status is dg.DagsterRunStatus.CANCELING:
            end(instance, run.run_id, "The run was cancelled before it began.")
        if record is None or run is None or not _is_for_us(run):
            self._live_runs.release(dagster_run_id)
            return
        self._serving.store.tables.announce(found_run(record, self._own_log))
        pinned = pinned_tags(instance, run)
        self._execute(run, pinned[TAG_FLOW], int(own_tag(pinned, TAG_WATERMARK) or ""), 0.0)

    def _execute(self, run: dg.DagsterRun, slug: str, watermark: int, waited_s: float) -> None:
        begun = time.monotonic()
        serving, process = self._serving, os.getpid()
        request = run.tags.get(TAG_RUN_ID)
        serving.report(Began(process, run.run_id, request, slug, watermark, waited_s))
        status = "unknown"
        try:
            self._execute_watched(run, slug, watermark)
            status = self._close(run.run_id)
        finally:
            seconds = time.monotonic() - begun
            serving.report(Ended(process, run.run_id, request, slug, status, seconds))

    def _execute_watched(self, run: dg.DagsterRun, slug: str, watermark: int) -> None:
        instance = self._serving.instance
        with self._watch.over(run.run_id):
            try:
                job = self._serving.jobs.get(slug, watermark).job
            except PgflowError as error:
                end(instance, run.run_id, f"The run could not be executed: {error}")
                return
            execute(instance, job, run, f"the live worker of {self._serving.served.name}")

    def _bury(self, message: Bury) -> None:
        """See to a run whose process is gone: it begins anew if it had not begun, or ends."""
        dagster_run_id = UUID(message.dagster_run_id)
        run = self._serving.instance.get_run_by_id(message.dagster_run_id)
        if (
            run is not None
            and run.status in NOT_BEGUN
            and self._live_runs.give_back(dagster_run_id)
        ):
            return
        end(self._serving.instance, message.dagster_run_id, message.reason)
        self._close(message.dagster_run_id)

    def _leave(self, message: Leave) -> None:
        run_id, number = UUID(message.run_id), message.number
        if number:
            reason = "Processes died of making the Dagster run with which it goes on."
            self._database.run(
                lambda transaction: self._continuations.postpone(
                    transaction, run_id, number, reason
                )
            )
            self._tell(f"Run {run_id} is tried again later. {reason}")
            return
        self._database.run(lambda transaction: self._claims.leave_to_queue(transaction, run_id))
        self._tell(f"Request {run_id} is left to Dagster's queue: processes died of claiming it.")

    def _tell(self, reason: str | None) -> None:
        if reason is not None:
            self._serving.report(Trouble(os.getpid(), reason))

    def _close(self, dagster_run_id: str) -> str:
        """Write the rows of a run that is over, and let go of it; return how it ended."""
        run_id = UUID(dagster_run_id)
        self._write_rows(run_id)
        self._live_runs.release(run_id)
        run = self._serving.instance.get_run_by_id(dagster_run_id)
        return "deleted" if run is None else run.status.value.lower()

    def _write_rows(self, run_id: UUID) -> None:
        projector = self._serving.projector()
        for _ in range(LOOKS_AT_END):
            projector.look_at([run_id])
            if all(cursor.end_seen for cursor in self._serving.store.tables.cursors([run_id])):
                break


def _is_for_us(run: dg.DagsterRun) -> bool:
    """Return whether nobody has begun a run, and nobody else is to."""
    return run.status in NOT_BEGUN and own_tag(run.tags, TAG_ORDINARY) != run.run_id
