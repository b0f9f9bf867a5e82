"""What the projection needs from the store; `load_defs` hands it in, so no SQL is known here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from dagster_pgflow.model.run_cursor import FoundRun, NextLook, RunCursor
from dagster_pgflow.model.run_state import LogEvent, RunState, RunStatus
from dagster_pgflow.projection.layout.layout import PinnedTree


class Definitions(Protocol):
    """The stored flows; `store.catalog.Catalog` is it."""

    def store_id(self) -> UUID:
        """Return the id of this store."""

    def tree(self, flow_slug: str, watermark: int) -> PinnedTree:
        """Return a flow and every flow that it contains, as of a watermark."""


class Output(Protocol):
    """A stored output of a step."""

    @property
    def key(self) -> Any:
        """Its name; `key.step_key` is the Dagster step."""

    @property
    def value(self) -> Any:
        """The value, where `location` is `None`."""

    @property
    def location(self) -> str | None:
        """Where the value lies, when it is not in the database."""


class StoredOutputs(Protocol):
    """The outputs of steps; `store.outputs.OutputStore` is it."""

    def of_run(self, dagster_run_id: UUID, output_name: str | None = None) -> Sequence[Output]:
        """Return the outputs of a run that have one name."""


class Tables(Protocol):
    """The run tables; `store.run_tables.RunTables` is it, and says what each method does."""

    def clock(self) -> datetime: ...  # noqa: D102
    def position(self, name: str) -> Mapping[str, Any] | None: ...  # noqa: D102
    def register(  # noqa: D102
        self, found: Sequence[FoundRun], name: str, position: Mapping[str, Any]
    ) -> None: ...
    def announce(self, found: FoundRun) -> None: ...  # noqa: D102
    def see(self, own_log: str) -> None: ...  # noqa: D102
    def due(  # noqa: D102
        self, as_of: datetime, limit: int, own_log: str | None
    ) -> Sequence[RunCursor]: ...
    def cursors(self, dagster_run_ids: Sequence[UUID]) -> Sequence[RunCursor]: ...  # noqa: D102
    def postpone(self, dagster_run_ids: Sequence[UUID], pause: float = 0.0) -> None: ...  # noqa: D102
    def identity(self, run_id: UUID) -> tuple[UUID | None, datetime | None]: ...  # noqa: D102
    def run_id_of(self, dagster_run_id: UUID) -> UUID | None: ...  # noqa: D102
    def input_of_request(self, run_id: str) -> Any: ...  # noqa: D102
    def events(self, run_id: UUID) -> Sequence[LogEvent]: ...  # noqa: D102
    def save(  # noqa: D102
        self,
        cursor: RunCursor,
        state: RunState,
        events: Sequence[LogEvent],
        following: NextLook,
        *,
        continuations_over: Sequence[UUID] = (),
        recovery: int | None = None,
        rewrite: bool = False,
    ) -> bool: ...
    def note_failure(self, cursor: RunCursor, message: str, pause: float) -> None: ...  # noqa: D102
    def end_unread(  # noqa: D102
        self, cursor: RunCursor, status: RunStatus, message: str
    ) -> None: ...
    def lose(self, cursor: RunCursor, message: str) -> None: ...  # noqa: D102
    def reopen(self) -> None: ...  # noqa: D102


@dataclass(frozen=True)
class ProjectionStore:
    """The three parts of the store that the projection works with."""

    definitions: Definitions
    outputs: StoredOutputs
    tables: Tables
