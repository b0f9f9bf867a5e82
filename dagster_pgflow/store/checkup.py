"""What `dagster-pgflow doctor` asks the database."""

from dataclasses import dataclass

from dagster_pgflow.store.database import Database
from dagster_pgflow.store.migrator import pending
from dagster_pgflow.store.schema_version import Migration


@dataclass(frozen=True)
class ServerFacts:
    """The server behind the address."""

    version: str
    major: int
    database: str
    user_name: str


@dataclass(frozen=True)
class WaitingRequests:
    """Requests that Dagster has no run of yet.

    Attributes:
        waiting: How many.
        held: How many of them wait for the end of runs, since their flow has no more at once.
        never_seen: How many of the others no sensor has handed over.
        oldest_s: For how many seconds the oldest of the others waits.
    """

    waiting: int
    held: int
    never_seen: int
    oldest_s: float | None


@dataclass(frozen=True)
class ProjectionLag:
    """How far behind the run tables may be.

    Attributes:
        looked_s: Seconds since the projection last looked for runs; none when it never did.
        in_trouble: How many runs it could not read.
        trouble: Why it could not read one of them.
        under_way: How many runs are queued or started.
    """

    looked_s: float | None
    in_trouble: int
    trouble: str | None
    under_way: int


@dataclass(frozen=True)
class WaitingRuns:
    """Runs that wait for a person, a signal or a time.

    Attributes:
        waiting: How many.
        oldest_s: For how many seconds the one that has waited longest does; none when none waits.
        left_alone: How many have had what they wait for longer than the patience that was asked
            with, and nobody goes on with them.
        blocked: How many cannot go on.
        problem: Why one of these cannot.
    """

    waiting: int
    oldest_s: float | None
    left_alone: int
    blocked: int
    problem: str | None


class Checkup:
    """Asks the database how it is.

    Args:
        database: The store, with or without its schema.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def server(self) -> ServerFacts:
        """Return which server this is; it needs no schema.

        Raises:
            StoreError: It cannot be reached.
        """
        with self._database.unchecked_transaction() as transaction:
            [row] = transaction.fetch_all("fetch_server_facts")
        return ServerFacts(**row)

    def pending_migrations(self) -> tuple[Migration, ...]:
        """Return the migrations that the schema lacks, oldest first.

        Raises:
            SchemaDiffers: It was made by other migrations.
            SchemaTooNew: It has more than this code can live with.
            StoreRefused: The schema is not ours.
        """
        return pending(self._database)

    def missing_rights(self) -> tuple[str, ...]:
        """Return what the user may not do, such as `insert on pgflow.runs`."""
        return tuple(row["missing"] for row in self._database.fetch_all("fetch_missing_rights"))

    def waiting_requests(self) -> WaitingRequests:
        """Return how many requests wait for Dagster."""
        [row] = self._database.fetch_all("fetch_waiting_requests")
        oldest = None if row["oldest_s"] is None else float(row["oldest_s"])
        return WaitingRequests(row["waiting"], row["held"], row["never_seen"], oldest)

    def projection_lag(self) -> ProjectionLag:
        """Return how far behind the run tables may be."""
        [row] = self._database.fetch_all("fetch_projection_lag")
        looked = None if row["looked_s"] is None else float(row["looked_s"])
        return ProjectionLag(looked, row["in_trouble"], row["trouble"], row["under_way"])

    def waiting_runs(self, patience_s: float) -> WaitingRuns:
        """Return how the runs do that wait.

        Args:
            patience_s: Within how many seconds somebody should go on with one that can.
        """
        [row] = self._database.fetch_all("fetch_waiting_runs", patience_s=patience_s)
        oldest = None if row["oldest_s"] is None else float(row["oldest_s"])
        return WaitingRuns(
            row["waiting"], oldest, row["left_alone"], row["blocked"], row["problem"]
        )
