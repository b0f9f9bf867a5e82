"""The store of a launcher: opened when it is needed, and left alone for a while when it is away."""

import time
from collections.abc import Callable
from functools import cached_property
from typing import Final, TypeVar
from uuid import UUID

from dagster_pgflow.errors import PgflowError
from dagster_pgflow.settings import configured_url, database_url
from dagster_pgflow.store.catalog import Catalog
from dagster_pgflow.store.database import Database
from dagster_pgflow.store.live_runs import LiveRuns

ASKED_AGAIN_AFTER_S: Final = 20.0
"""A store that does not answer holds up one launch now and then, and not each."""

Answer = TypeVar("Answer")


class StoreOfFlows:
    """A store that may be away.

    A launcher is made in every process that opens Dagster, most of which never ask it anything: so
    nothing is opened, and no setting is judged, before the first question.

    Args:
        given_url: Where the store is; `None` where the environment says it.
    """

    def __init__(self, given_url: str | None) -> None:
        self._given_url = given_url
        self._trouble: PgflowError | None = None
        self._trouble_since = 0.0

    def ask(self, question: Callable[[Database], Answer]) -> Answer:
        """Ask the store something.

        Raises:
            PgflowError: It does not answer, or did not a moment ago.
        """
        away_for = time.monotonic() - self._trouble_since
        if self._trouble is not None and away_for < ASKED_AGAIN_AFTER_S:
            raise self._trouble
        try:
            answer = question(self._database)
        except PgflowError as error:
            self._trouble, self._trouble_since = error, time.monotonic()
            raise
        self._trouble = None
        return answer

    def live_runs(self, question: Callable[[LiveRuns], Answer]) -> Answer:
        """Ask about live workers and their runs.

        Raises:
            PgflowError: The store does not answer, or did not a moment ago.
        """
        return self.ask(lambda database: question(LiveRuns(database)))

    def store_id(self) -> UUID:
        """Return the id of the store.

        Raises:
            PgflowError: It does not answer, or did not a moment ago.
        """
        return self._store_id

    def close(self) -> None:
        """Close what is open."""
        if "_database" in self.__dict__:
            self._database.close()

    @cached_property
    def _database(self) -> Database:
        given = self._given_url or configured_url()
        return Database(given or database_url(), revive=None if given else database_url)

    @cached_property
    def _store_id(self) -> UUID:
        return self.ask(lambda database: Catalog(database).store_id())
