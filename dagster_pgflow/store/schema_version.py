"""Which version of the schema this code needs, and whether a database has it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from dagster_pgflow.errors import SchemaMissing, SchemaOutdated, SchemaTooNew
from dagster_pgflow.store.address import Address

MIGRATIONS_FOLDER = Path(__file__).parent / "migrations"


@dataclass(frozen=True)
class Migration:
    """One step of the schema's history.

    Attributes:
        version: Counts from 1 without gaps.
        name: What it does, in a few words.
        file: Where its SQL is.
    """

    version: int
    name: str
    file: Path

    @property
    def sql(self) -> str:
        """The SQL text."""
        return self.file.read_text(encoding="utf-8")


class Reader(Protocol):
    """What can answer a named query."""

    def fetch_value(self, query: str, **parameters: Any) -> Any:
        """Return the first value."""


def packaged_migrations() -> tuple[Migration, ...]:
    """Return the migrations that this code brings, oldest first."""
    return tuple(
        Migration(int(file.stem.split("_", 1)[0]), file.stem.split("_", 1)[1], file)
        for file in sorted(MIGRATIONS_FOLDER.glob("*.sql"))
    )


def applied_version(reader: Reader) -> int:
    """Return the newest migration of a database; 0 without the schema."""
    if not reader.fetch_value("fetch_has_migrations"):
        return 0
    return int(reader.fetch_value("fetch_applied_version") or 0)


def ensure_current_schema(reader: Reader, address: Address) -> None:
    """Raise when the schema of a database is not the one of this code.

    Raises:
        SchemaMissing: There is none.
        SchemaOutdated: It is older.
        SchemaTooNew: It is newer.
    """
    applied = applied_version(reader)
    needed = packaged_migrations()[-1].version
    if applied == 0:
        raise SchemaMissing(
            f"The database {address.shown} has no pgflow schema; run `dagster-pgflow migrate`."
        )
    if applied < needed:
        raise SchemaOutdated(
            f"The pgflow schema of {address.shown} has version {applied}, this code needs"
            f" {needed}; run `dagster-pgflow migrate`."
        )
    if applied > needed:
        raise SchemaTooNew(
            f"The pgflow schema of {address.shown} has version {applied}, this code knows"
            f" {needed}; upgrade dagster_pgflow."
        )
