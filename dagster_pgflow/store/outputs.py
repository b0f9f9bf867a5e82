"""The values that steps hand to each other, one row an output.

They are stored as the very text that the IO manager wrote: keys keep their order, numbers their
form, and strings may hold any character.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping

from dagster_pgflow.json_values.text import read_own_json
from dagster_pgflow.store.database import Database


@dataclass(frozen=True)
class OutputKey:
    """What names one output of a Dagster run.

    Attributes:
        dagster_run_id: The Dagster run.
        step_key: The Dagster step, such as `payment.receipt` or `process[00007]`.
        output_name: The output of the op.
        mapping_key: The element of a dynamic output; empty for others.
    """

    dagster_run_id: UUID
    step_key: str
    output_name: str = "result"
    mapping_key: str = ""


@dataclass(frozen=True)
class StoredOutput:
    """An output, or the place where it lies.

    Attributes:
        key: Its name.
        text: The value as JSON text, when it is in the row.
        location: The URL of the value, when it was too large for a row.
        size_bytes: The size of the JSON text.
    """

    key: OutputKey
    text: str | None
    location: str | None
    size_bytes: int

    @property
    def value(self) -> Any:
        """The value, decoded; only where it is in the row."""
        if self.text is None:
            raise LookupError(f"The value of {self.key} lies at {self.location}.")
        return read_own_json(self.text, f'The output of step "{self.key.step_key}"')


class OutputStore:
    """Keeps outputs by key; a later attempt replaces what an earlier one stored."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, key: OutputKey, text: str) -> None:
        """Store a value.

        Args:
            text: The value as JSON text, such as `json.dumps(value)`.

        Raises:
            StoreRefused: The text is not JSON.
        """
        self.put_all([StoredOutput(key, text, None, len(text.encode()))])

    def put_all(self, outputs: Sequence[StoredOutput]) -> None:
        """Store outputs of one run, all of them or none.

        Args:
            outputs: Each under another key.

        Raises:
            StoreRefused: A text is not JSON.
        """
        keys = [output.key for output in outputs]
        self._database.execute(
            "put_outputs",
            dagster_run_id=str(keys[0].dagster_run_id),
            step_key=[key.step_key for key in keys],
            output_name=[key.output_name for key in keys],
            mapping_key=[key.mapping_key for key in keys],
            text=[output.text for output in outputs],
            location=[output.location for output in outputs],
            size_bytes=[output.size_bytes for output in outputs],
        )

    def get(self, key: OutputKey) -> StoredOutput | None:
        """Return an output, or `None` when there is none."""
        row = self._database.fetch_one("fetch_output", **_columns(key))
        return None if row is None else _stored_output(row)

    def of_run(
        self, dagster_run_id: UUID, output_name: str | None = None
    ) -> tuple[StoredOutput, ...]:
        """Return the outputs of a run by step key, all or those of one name."""
        rows = self._database.fetch_all(
            "fetch_outputs_of_run", dagster_run_id=str(dagster_run_id), output_name=output_name
        )
        return tuple(_stored_output(row) for row in rows)


def _columns(key: OutputKey) -> dict[str, str]:
    return {
        "dagster_run_id": str(key.dagster_run_id),
        "step_key": key.step_key,
        "output_name": key.output_name,
        "mapping_key": key.mapping_key,
    }


def _stored_output(row: RowMapping) -> StoredOutput:
    key = OutputKey(row["dagster_run_id"], row["step_key"], row["output_name"], row["mapping_key"])
    return StoredOutput(key, row["text"], row["location"], row["size_bytes"])
