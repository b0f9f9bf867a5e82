"""The rows of steps that wait, as the steps themselves see them."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import RowMapping

from dagster_pgflow.json_values.text import write_own_json
from dagster_pgflow.store.database import Database


class WaitRows:
    """Begins waits, and says how they stand.

    Args:
        database: The store, as patient as whoever asks.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def open(
        self,
        *,
        answer_schema: Mapping[str, Any] | None,
        answerers: Sequence[str],
        reminders: Sequence[int],
        dagster_run_id: str | None = None,
        **asked: Any,
    ) -> RowMapping:
        """Have a step wait, unless it does already; return how that stands, times as seconds.

        Asked again it is the same wait, so that a lost connection does no harm.

        Args:
            answer_schema: JSON Schema of the answer.
            answerers: Who may answer.
            reminders: After how many seconds somebody is to be reminded.
            dagster_run_id: The Dagster run that asks, unless it goes on with one.
            **asked: The other parameters of `pgflow.open_wait`.

        Raises:
            StoreError: Nobody knows.
        """
        schema = None if answer_schema is None else dict(answer_schema)
        [row] = self._database.fetch_all(
            "open_wait",
            answer_schema=None if schema is None else write_own_json(schema, "A schema"),
            answerers=list(answerers),
            reminders=list(reminders),
            dagster_run_id=dagster_run_id,
            **asked,
        )
        return row
