"""What is known of the tables, so that they are not asked for their columns with each event."""

from collections.abc import Callable


class SeenSchema:
    """Remembers which tables and columns are there.

    Dagster asks for them with each run that is added and each change of a status, since a migration
    may not have been made yet. What is there stays there. What is missing may be added at any time,
    by another process too, so it is asked for again.
    """

    def __init__(self) -> None:
        self._there: set[str] = set()

    def has(self, what: str, look: Callable[[], bool]) -> bool:
        """Returns whether something is there.

        Args:
            what: Its name.
            look: Asks the database.
        """
        if what not in self._there and look():
            self._there.add(what)
        return what in self._there
