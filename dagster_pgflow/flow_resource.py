"""The store as a resource for code that is no step: assets, ops, sensors and schedules of yours."""

from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import dagster as dg
from pydantic import Field, PrivateAttr

from dagster_pgflow.model.defaults import UNASKED
from dagster_pgflow.store.address import parse_address
from dagster_pgflow.store.answers import KEPT_FOR, Answered, Answers, OpenWait
from dagster_pgflow.store.database import Database
from dagster_pgflow.store.opened import opened_store
from dagster_pgflow.store.requests import Requests
from dagster_pgflow.store.run_status import RunReport, RunStatusReader

# Dagster 1.13 shows the config of resources to all who may look, whatever is a secret in it, and
# makes resources anew from it. So it has the place of a database, by which its address is found.
_HIDDEN: Final[dict[str, str]] = {}


class PgflowResource(dg.ConfigurableResource[Any]):
    """Starts flows, waits for them, reads their runs, answers their steps, sends signals.

    What a flow does is done in a run of its own, by whatever serves its store: the sensors of the
    code location that has its handlers, or a live worker. It need not be this code location.

    Attributes:
        database_url: The database that holds the flows; without it `PGFLOW_DATABASE_URL`, else the
            embedded server. What is read here, and what Dagster shows, is where that is, and never
            the password; of `dg.EnvVar("...")` it is the name.

    Example:
        >>> @dg.asset
        ... def invoice(pgflow: PgflowResource) -> dict:
        ...     return pgflow.run("invoice", {"customer": 7}, timeout=600)
    """

    database_url: str | None = Field(
        default=None,
        description="The database that holds the flows; without it PGFLOW_DATABASE_URL.",
        json_schema_extra={"dagster__is_secret": True},
    )
    _database: Database | None = PrivateAttr(default=None)

    def __init__(self, **data: Any) -> None:
        given = data.get("database_url")
        if isinstance(given, str) and not isinstance(given, dg.EnvVar):
            data["database_url"] = _hidden(given)
        super().__init__(**data)

    @property
    def database(self) -> Database:
        """The database, for SQL of your own: `with pgflow.database.transaction() as tx: ...`."""
        if self._database is None:
            self._database = opened_store(_HIDDEN.get(self.database_url or "", self.database_url))
        return self._database

    def start(
        self,
        flow_slug: str,
        input: Any = UNASKED,  # the word of SQL's start_flow
        *,
        run_id: UUID | None = None,
        priority: int = 0,
    ) -> UUID:
        """Ask for a run of a flow, and return its id at once; see `Requests.start`."""
        return Requests(self.database).start(flow_slug, input, run_id, priority=priority)

    def run(
        self,
        flow_slug: str,
        input: Any = UNASKED,  # the word of SQL's start_flow
        *,
        timeout: float | None = None,
        run_id: UUID | None = None,
        priority: int = 0,
    ) -> Any:
        """Ask for a run of a flow, wait for its end, and return its output; see `Requests.run`."""
        return Requests(self.database).run(
            flow_slug, input, timeout=timeout, priority=priority, run_id=run_id
        )

    def wait_for(self, run_id: UUID, timeout: float | None = None) -> Any:
        """Wait for the end of a run, and return its output; see `Requests.wait_for`."""
        return Requests(self.database).wait_for(run_id, timeout)

    def report(self, run_id: UUID) -> RunReport:
        """Return a run with its steps and subruns, as their rows are now.

        Raises:
            StoreRefused: There is no such run.
        """
        return RunStatusReader(self.database).report(run_id)

    def open_waits(
        self, flow_slug: str | None = None, *, run_id: UUID | None = None
    ) -> tuple[OpenWait, ...]:
        """Return what can be answered now; see `Answers.open`."""
        return Answers(self.database).open(flow_slug, run_id=run_id)

    def answer(
        self, run_id: UUID, step_path: str, answer: Any, *, answered_by: str | None = None
    ) -> Answered:
        """Answer a step that waits; see `Answers.answer`."""
        return Answers(self.database).answer(run_id, step_path, answer, answered_by=answered_by)

    def signal(
        self,
        name: str,
        payload: Any = None,
        *,
        key: str | None = None,
        expires_in: timedelta = KEPT_FOR,
        broadcast: bool = False,
    ) -> int:
        """Send a signal to what waits for it, in any run; see `Answers.signal`."""
        return Answers(self.database).signal(
            name, payload, key=key, expires_in=expires_in, broadcast=broadcast
        )


def _hidden(url: str) -> str:
    """Return what stands for an address where everybody may read it."""
    if url in _HIDDEN:
        return url
    shown = place = parse_address(url).shown
    number = 1
    while _HIDDEN.setdefault(shown, url) != url:
        number += 1
        shown = f"{place} ({number})"
    return shown
