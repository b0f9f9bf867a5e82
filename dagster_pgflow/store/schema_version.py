"""Which migrations this code brings, which ones a database has, and whether the two fit.

A database may be newer than the code: while a new version is rolled out, runs of the old one are
still under way. What lets them go on stands in the database, migration for migration, because the
old code cannot have the files of the new one.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import RowMapping

from dagster_pgflow.errors import SchemaDiffers, SchemaMissing, SchemaOutdated, SchemaTooNew
from dagster_pgflow.store.address import Address

MIGRATIONS_FOLDER = Path(__file__).parent / "migrations"
OLD_CODE = re.compile(r"^-- old code: (works|stops)$", re.MULTILINE)
"""What a migration says of the code before it, on a line of its own; without one, it stops."""


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

    @cached_property
    def sql(self) -> str:
        """The SQL text."""
        return self.file.read_text(encoding="utf-8")

    @cached_property
    def checksum(self) -> str:
        """The SHA-256 of the SQL text, the same whatever the ends of lines are."""
        return hashlib.sha256(self.sql.replace("\r\n", "\n").encode()).hexdigest()

    @property
    def old_code_works(self) -> bool:
        """Whether code that does not know this migration works with what it leaves."""
        found = OLD_CODE.search(self.sql)
        return found is not None and found[1] == "works"


@dataclass(frozen=True)
class AppliedMigration:
    """A migration as the database remembers it.

    Attributes:
        version: Its number.
        name: What it did.
        checksum: That of the SQL that was run; none where a version before the first release ran
            it.
        old_code_works: Whether code that does not know it works with the database.
    """

    version: int
    name: str
    checksum: str | None
    old_code_works: bool


class Reader(Protocol):
    """What can answer named queries."""

    def fetch_value(self, query: str, **parameters: Any) -> Any:
        """Return the first value."""

    def fetch_all(self, query: str, **parameters: Any) -> Sequence[RowMapping]:
        """Return all rows."""


def packaged_migrations() -> tuple[Migration, ...]:
    """Return the migrations that this code brings, oldest first."""
    return tuple(
        Migration(int(file.stem.split("_", 1)[0]), file.stem.split("_", 1)[1], file)
        for file in sorted(MIGRATIONS_FOLDER.glob("*.sql"))
    )


def applied_migrations(reader: Reader, address: Address) -> tuple[AppliedMigration, ...]:
    """Return the migrations of a database, oldest first; none without the schema.

    Raises:
        SchemaDiffers: One of them is not what this code has under its number.
        SchemaTooNew: One is unknown to this code, and code that does not know it cannot work.
    """
    if not reader.fetch_value("fetch_has_migrations"):
        return ()
    applied = tuple(AppliedMigration(**row) for row in reader.fetch_all("fetch_applied_migrations"))
    known = {migration.version: migration for migration in packaged_migrations()}
    for migration in applied:
        if migration.version in known:
            _refuse_another(migration, known[migration.version], address)
        elif not migration.old_code_works:
            raise SchemaTooNew(
                f"The pgflow schema of {address.shown} has version {applied[-1].version}, this code"
                f" knows {max(known)} and cannot work with migration {migration.version}"
                f" ({migration.name}); upgrade dagster_pgflow."
            )
    return applied


def ensure_current_schema(reader: Reader, address: Address) -> None:
    """Raise when this code cannot work with the schema of a database.

    Raises:
        SchemaMissing: There is none.
        SchemaOutdated: It is older.
        SchemaDiffers: It was made by other migrations.
        SchemaTooNew: It is newer, and more than a version that this code can live with.
    """
    applied = applied_migrations(reader, address)
    needed = packaged_migrations()[-1].version
    if not applied:
        raise SchemaMissing(
            f"The database {address.shown} has no pgflow schema; run `dagster-pgflow migrate`."
        )
    if applied[-1].version < needed:
        raise SchemaOutdated(
            f"The pgflow schema of {address.shown} has version {applied[-1].version}, this code"
            f" needs {needed}; run `dagster-pgflow migrate`."
        )


def _refuse_another(applied: AppliedMigration, ours: Migration, address: Address) -> None:
    if applied.checksum is None:
        raise SchemaDiffers(
            f"The pgflow schema of {address.shown} is older than the first release of"
            " dagster_pgflow and cannot be upgraded; use another database, or drop the schema"
            " pgflow with all that it holds and run `dagster-pgflow migrate`."
        )
    if applied.checksum != ours.checksum:
        raise SchemaDiffers(
            f"Migration {applied.version} ({applied.name}) of {address.shown} was another one than"
            " that of this code, so the pgflow schema may lack what this code needs; use the"
            " version of dagster_pgflow that made it, or another database."
        )
