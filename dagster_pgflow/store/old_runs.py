"""Runs that ended long ago, which the tables need not keep for ever."""

from datetime import timedelta
from typing import Final

from dagster_pgflow.store.database import Database

AT_A_TIME: Final = 1000
"""How many runs, events and deliveries are deleted in one transaction, of each."""


class OldRuns:
    """Counts and deletes runs that are over for some time.

    Args:
        database: The store.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def count(self, older_than: timedelta) -> int:
        """Return how many runs ended longer ago."""
        return int(
            self._database.fetch_value("count_old_runs", older_than_s=older_than.total_seconds())
        )

    def prune(self, older_than: timedelta) -> int:
        """Delete the runs that ended longer ago, and return how many that were.

        With them go their steps, events, outputs in the database, what triggers and webhooks made
        of them, and events of triggers that are as old, until nothing old is left. It is done some
        at a time: what was deleted before an error stays deleted.

        Args:
            older_than: A day or more.

        Raises:
            StoreRefused: The time is too short, or the user does not see all tenants.
        """
        given = {"older_than_s": older_than.total_seconds(), "most": AT_A_TIME}
        total = 0
        while True:
            [deleted] = self._database.run(
                lambda transaction: transaction.fetch_all("prune_runs", **given)
            )
            total += int(deleted["runs"])
            if not any(deleted.values()):
                return total
