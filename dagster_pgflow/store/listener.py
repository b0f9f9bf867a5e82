"""A connection that hears what others tell through PostgreSQL's NOTIFY."""

import select
from contextlib import suppress
from typing import Any

import psycopg2
import psycopg2.extensions
from psycopg2 import sql

from dagster_pgflow.store.address import Address
from dagster_pgflow.store.connections import open_connection
from dagster_pgflow.store.failures import of_driver


class Listener:
    """Hears notifications; one that is cut off hears nothing until it is opened again.

    What was told while nobody listened is lost: whoever uses this looks for itself after `open`,
    and now and then.

    Args:
        address: The database.
        channels: What to listen on.
    """

    def __init__(self, address: Address, *channels: str) -> None:
        self._address = address
        self._channels = channels
        self._connection: Any = None

    @property
    def is_open(self) -> bool:
        """Whether it hears."""
        return self._connection is not None and not self._connection.closed

    def open(self) -> None:
        """Begin to listen.

        Raises:
            StoreError: The database does not answer, or not any more.
        """
        self.close()
        self._connection = open_connection(self._address)
        try:
            self._listen()
        except psycopg2.Error as error:
            self.close()
            raise of_driver(error, self._address, was_connected=True) from error

    def _listen(self) -> None:
        self._connection.set_isolation_level(psycopg2.extensions.ISOLATION_LEVEL_AUTOCOMMIT)
        with self._connection.cursor() as cursor:
            for channel in self._channels:
                cursor.execute(sql.SQL("listen {}").format(sql.Identifier(channel)))

    def fileno(self) -> int:
        """Return what becomes readable when there is something to hear."""
        number: int = self._connection.fileno()
        return number

    def heard(self) -> list[tuple[str, str]]:
        """Return what was told since the last call: channel and text each.

        A connection that turns out to be cut off is closed; see `is_open`.
        """
        try:
            self._connection.poll()
        except psycopg2.Error:
            self.close()
            return []
        found = [(notify.channel, notify.payload) for notify in self._connection.notifies]
        self._connection.notifies.clear()
        return found

    def wait(self, seconds: float) -> bool:
        """Wait until there is something to hear; return whether there is."""
        return bool(select.select([self], [], [], seconds)[0])

    def close(self) -> None:
        """Listen no more."""
        if self._connection is not None:
            with suppress(psycopg2.Error):
                self._connection.close()
            self._connection = None
