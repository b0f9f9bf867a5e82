"""Requests to run a flow: a row first, a Dagster run later, never lost in between."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final
from uuid import UUID, uuid4

from sqlalchemy import RowMapping

from dagster_pgflow.errors import StoreRefused
from dagster_pgflow.json_values.text import read_json, write_json
from dagster_pgflow.model.defaults import UNASKED
from dagster_pgflow.store.concurrency_keys import MOST_LOOKS, give_keys
from dagster_pgflow.store.database import Database
from dagster_pgflow.store.failures import unknown_or_refused
from dagster_pgflow.store.live_runs import THERE_FOR_S
from dagster_pgflow.store.run_waits import RunWait

LIVE_HAS_IT_FOR_S: Final = 30.0
"""How long a request is left to the live workers, where there are any."""


@dataclass(frozen=True)
class RunRequested:
    """A request that Dagster has no run of yet.

    Attributes:
        run_id: The id of the run to be.
        flow_slug: The flow.
        version_id: The catalog watermark that the run needs at least.
        created_at: When it was asked for.
        handed_over_at: When a sensor last gave it to Dagster, if one did.
        priority: Those of a higher one begin first, of one tenant or of none.
        tenant: The flow's tag `tenant`, empty when it has none.
    """

    run_id: UUID
    flow_slug: str
    version_id: int
    created_at: datetime
    handed_over_at: datetime | None
    priority: int = 0
    tenant: str = ""


@dataclass(frozen=True)
class SmallInput:
    """The input of a request, as far as it travels with it.

    Attributes:
        text: The input as JSON; `None` when it is large.
        triggered_by: The name of the trigger that asked for the run, if one did.
    """

    text: str | None
    triggered_by: str | None


class Requests:
    """Starts runs, and lists for sensors what waits to be started."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def start(
        self,
        flow_slug: str,
        input: Any = UNASKED,  # the word of SQL's start_flow
        run_id: UUID | None = None,
        *,
        priority: int = 0,
    ) -> UUID:
        """Ask for a run of a flow, as `pgflow.start_flow` does, and return the run's id.

        Args:
            input: The flow input, any JSON value; it is laid over the defaults of the flow's input
                schema. Without one the flow runs on its defaults alone.
            run_id: The id of the run; the same id again starts nothing new.
            priority: Requests of a higher one begin first; those of one priority by turns.

        Raises:
            UnknownFlow: There is no such flow.
            InvalidInput: The input breaks the flow's input schema.
            ValueNotJson: The input is not JSON.
            StoreRefused: The run id belongs to a run with another flow or input.
        """
        meaning = f'The input of flow "{flow_slug}"'
        try:
            started: UUID = self._database.fetch_value(
                "start_flow",
                flow_slug=flow_slug,
                input=None if input is UNASKED else write_json(input, meaning),
                # Chosen here, so that a start whose answer is lost starts nothing twice.
                run_id=str(uuid4() if run_id is None else run_id),
                priority=priority,
            )
        except StoreRefused as error:
            raise unknown_or_refused(flow_slug, error) from error
        return started

    def run(
        self,
        flow_slug: str,
        input: Any = UNASKED,  # the word of SQL's start_flow
        *,
        timeout: float | None = None,
        priority: int = 0,
        run_id: UUID | None = None,
    ) -> Any:
        """Ask for a run of a flow, wait for its end, and return its output.

        Args:
            input: As for `start`.
            timeout: For how many seconds to wait at most; without it there is no end to that.
            priority: As for `start`.
            run_id: As for `start`; where a run of this id is there already, it is waited for.

        Raises:
            RunFailed: The run failed.
            RunCancelled: It was cancelled.
            RunTimedOut: It is not over, and goes on.
            PgflowError: It could not be asked for; see `start`.

        Example:
            >>> Requests(database).run("measure", {"folder": "docs"})  # doctest: +SKIP
        """
        wanted = uuid4() if run_id is None else run_id
        start = partial(self.start, flow_slug, input, wanted, priority=priority)
        return RunWait(self._database, wanted, timeout).output(start)

    async def run_async(
        self,
        flow_slug: str,
        input: Any = UNASKED,  # the word of SQL's start_flow
        *,
        timeout: float | None = None,  # noqa: ASYNC109  it says when, and that the run goes on
        priority: int = 0,
        run_id: UUID | None = None,
    ) -> Any:
        """Do what `run` does, in an event loop; all waits of a process share one connection.

        A wait that is cancelled does not cancel the run.
        """
        wanted = uuid4() if run_id is None else run_id
        start = partial(self.start, flow_slug, input, wanted, priority=priority)
        return await RunWait(self._database, wanted, timeout).output_async(start)

    def wait_for(self, run_id: UUID, timeout: float | None = None) -> Any:
        """Wait for the end of a run, and return its output; see `run`.

        Raises:
            StoreRefused: There is no such run.
        """
        return RunWait(self._database, run_id, timeout).output()

    async def wait_for_async(
        self,
        run_id: UUID,
        timeout: float | None = None,  # noqa: ASYNC109  as in run_async
    ) -> Any:
        """Do what `wait_for` does, in an event loop."""
        return await RunWait(self._database, run_id, timeout).output_async()

    def pending(
        self, limit: int, up_to_version: int | None = None, *, own_log: str | None = None
    ) -> tuple[RunRequested, ...]:
        """Return requests that Dagster has no run of yet and that may begin.

        Those that were never handed over come first: of the highest priority, by turns of tenants,
        flows and keys, as many as the limits of their flows have room for. Then come those handed
        over longest ago: a sensor that calls `hand_over` gets to all of them, however many there
        are.

        While a live worker is there, those that it may start are left to it for
        `LIVE_HAS_IT_FOR_S` seconds. One that comes to nothing, or is busy with long runs, keeps
        nobody waiting for longer.

        Args:
            limit: How many at most.
            up_to_version: Only those that a catalog of this watermark can serve.
            own_log: Which Dagster is to start them; those stay out that another one was given.
        """
        for _ in range(MOST_LOOKS):
            rows = self._database.fetch_all(
                "fetch_pending_requests",
                limit=limit,
                up_to_version=up_to_version,
                there_for=THERE_FOR_S,
                live_has_it_for=LIVE_HAS_IT_FOR_S,
                own_log=own_log,
            )
            without_key = {row["flow_slug"] for row in rows if row["awaits_key"]}
            if not without_key:
                break
            for slug in sorted(without_key):
                give_keys(self._database, slug)
        return tuple(_requested(row) for row in rows if not row["awaits_key"])

    def small_input(self, run_id: UUID, most_bytes: int) -> SmallInput:
        """Return the input of a request where it is small, and which trigger asked for it.

        Args:
            most_bytes: The size up to which it is read.

        Raises:
            StoreRefused: There is no such request any more.
        """
        row = self._database.fetch_one(
            "fetch_small_input", run_id=str(run_id), most_bytes=most_bytes
        )
        if row is None:
            raise StoreRefused(f"Request {run_id} is not in pgflow.run_requests any more.")
        return SmallInput(row["input"], row["triggered_by"])

    def requested_input(self, run_id: str) -> Any:
        """Return the input of a request, whatever its size.

        Raises:
            StoreRefused: There is no such request any more.
            ValueNotJson: The input is more than JSON from outside may be.
        """
        found = input_text(self._database, run_id)
        if found is None:
            raise StoreRefused(
                f"The input of this run was in the request {run_id}, which is not in"
                " pgflow.run_requests any more; start a new run."
            )
        return read_json(found, "The input of the request")

    def hand_over(self, run_ids: Iterable[UUID], own_log: str | None = None) -> frozenset[UUID]:
        """Note that these requests are given to Dagster, and return those that may be.

        One that was taken back or refused meanwhile may not, nor one that is too many for the
        limits of its flow now. Whoever else takes requests at the same moment is seen.

        They stay pending until the projection has seen their runs, so that a request whose
        launch was lost is offered again.

        Args:
            run_ids: The requests.
            own_log: Which Dagster they are given to; see `dagster_log.which_log`.
        """
        listed = [str(run_id) for run_id in run_ids]
        if not listed:
            return frozenset()
        if own_log is not None:
            self._database.execute("see_log", log=own_log)
        rows = self._database.fetch_all("hand_over_requests", run_ids=listed, own_log=own_log)
        return frozenset(row["run_id"] for row in rows)

    def refuse(self, run_id: UUID, reason: str) -> bool:
        """End a request that cannot be run: its run is failed, with the reason as its error.

        Returns:
            Whether there was a request that was not refused yet.
        """
        return self._end("refuse_request", run_id=str(run_id), reason=reason)

    def take_back(self, run_id: UUID, reason: str, *, although_handed_over: bool = False) -> bool:
        """Cancel a run that Dagster has not begun.

        Args:
            reason: Why, for people.
            although_handed_over: Also when a sensor has given the request to Dagster, which may
                be about to begin the run.

        Returns:
            Whether it is cancelled now; otherwise Dagster has it, or it is over.
        """
        return self._end(
            "take_back_request",
            run_id=str(run_id),
            reason=reason,
            although_handed_over=although_handed_over,
        )

    def _end(self, query: str, **parameters: Any) -> bool:
        """End a request, and return whether it was this that ended it."""
        ended = self._database.run(
            lambda transaction: transaction.fetch_value(query, **parameters), is_repeatable=False
        )
        return bool(ended)


def _requested(row: RowMapping) -> RunRequested:
    return RunRequested(**{name: value for name, value in row.items() if name != "awaits_key"})


def input_text(database: Database, run_id: str) -> str | None:
    """Return the input of a request as JSON text; `None` when there is no such request."""
    try:
        known = UUID(run_id)
    except ValueError:
        return None
    text: str | None = database.fetch_value("fetch_requested_input", run_id=str(known))
    return text
