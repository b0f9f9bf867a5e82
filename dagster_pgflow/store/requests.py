"""Requests to run a flow: a row first, a Dagster run later, never lost in between."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from dagster_pgflow.errors import StoreRefused
from dagster_pgflow.json_values.text import read_json, write_json
from dagster_pgflow.model.defaults import UNASKED
from dagster_pgflow.store.database import Database
from dagster_pgflow.store.failures import unknown_or_refused


@dataclass(frozen=True)
class RunRequested:
    """A request that Dagster has no run of yet.

    Attributes:
        run_id: The id of the run to be.
        flow_slug: The flow.
        version_id: The catalog watermark that the run needs at least.
        created_at: When it was asked for.
        handed_over_at: When a sensor last gave it to Dagster, if one did.
    """

    run_id: UUID
    flow_slug: str
    version_id: int
    created_at: datetime
    handed_over_at: datetime | None


class Requests:
    """Starts runs, and tells sensors what waits to be started.

    Args:
        database: The store.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def start(self, flow_slug: str, input: Any = UNASKED, run_id: UUID | None = None) -> UUID:
        """Ask for a run of a flow, as `pgflow.start_flow` does, and return the run's id.

        Args:
            flow_slug: The flow.
            input: The flow input, any JSON value; it is laid over the defaults of the flow's input
                schema. Without one the flow runs on its defaults alone.
            run_id: The id of the run; the same id again starts nothing new.

        Raises:
            UnknownFlow: There is no such flow.
            InvalidInput: The input breaks the flow's input schema.
            ValueNotJson: The input is no JSON.
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
            )
        except StoreRefused as error:
            raise unknown_or_refused(flow_slug, error) from error
        return started

    def pending(self, limit: int, up_to_version: int | None = None) -> tuple[RunRequested, ...]:
        """Return requests that Dagster has no run of yet.

        Those that were never handed over come first, then those handed over longest ago: a
        sensor that calls `hand_over` gets to all of them, however many there are.

        Args:
            limit: How many at most.
            up_to_version: Only those that a catalog of this watermark can serve.
        """
        rows = self._database.fetch_all(
            "fetch_pending_requests", limit=limit, up_to_version=up_to_version
        )
        return tuple(RunRequested(**row) for row in rows)

    def small_input(self, run_id: UUID, most_bytes: int) -> str | None:
        """Return the input of a request as JSON text; `None` when it is larger than that.

        Args:
            run_id: The request.
            most_bytes: The size up to which it is read.

        Raises:
            StoreRefused: There is no such request any more.
        """
        row = self._database.fetch_one(
            "fetch_small_input", run_id=str(run_id), most_bytes=most_bytes
        )
        if row is None:
            raise StoreRefused(f"Request {run_id} is not in pgflow.run_requests any more.")
        text: str | None = row["input"]
        return text

    def requested_input(self, run_id: str) -> Any:
        """Return the input of a request, whatever its size.

        Args:
            run_id: The request.

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

    def hand_over(self, run_ids: Iterable[UUID]) -> frozenset[UUID]:
        """Note that these requests are given to Dagster, and return those that may be.

        One that was taken back or refused meanwhile may not.

        They stay pending until the projection has seen their runs, so that a request whose
        launch was lost is offered again.
        """
        listed = [str(run_id) for run_id in run_ids]
        if not listed:
            return frozenset()
        rows = self._database.fetch_all("hand_over_requests", run_ids=listed)
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
            run_id: The run.
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

    def newest_pending_version(self) -> int | None:
        """Return the highest watermark that a pending request needs; `None` without requests."""
        version_id: int | None = self._database.fetch_value("fetch_newest_pending_version")
        return version_id

    def _end(self, query: str, **parameters: Any) -> bool:
        """End a request, and say whether it was this that ended it."""
        ended = self._database.run(
            lambda transaction: transaction.fetch_value(query, **parameters), is_repeatable=False
        )
        return bool(ended)


def input_text(database: Database, run_id: str) -> str | None:
    """Return the input of a request as JSON text; `None` when there is no such request."""
    try:
        known = UUID(run_id)
    except ValueError:
        return None
    text: str | None = database.fetch_value("fetch_requested_input", run_id=str(known))
    return text
