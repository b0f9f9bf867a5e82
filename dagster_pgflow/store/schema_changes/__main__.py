"""Writes the next migration: `python -m dagster_pgflow.store.schema_changes NAME`."""

import re
import sys
import tempfile
from pathlib import Path

import psycopg2

from dagster_pgflow.embedded import EmbeddedPostgres
from dagster_pgflow.store.assemble import INITIAL_MIGRATION, assembled_schema
from dagster_pgflow.store.released import released_migrations
from dagster_pgflow.store.schema_changes.derive import Derivation
from dagster_pgflow.store.schema_changes.dump import dumped_objects
from dagster_pgflow.store.schema_changes.marks import RESOLVE
from dagster_pgflow.store.schema_version import MIGRATIONS_FOLDER, packaged_migrations

HEADER = f"""\
{RESOLVE} does code that does not know this migration work with it? Write works or stops.
-- old code: stops
{RESOLVE} only the schema was compared. Write what rows that are there need: values for new columns,
{RESOLVE} repairs before a new constraint. Then remove these lines.
"""


def derived_migration(old_url: str, new_url: str, schema: str) -> str | None:
    """Return the text of the next migration; none when nothing has changed.

    Args:
        old_url: An empty database, for the schema of the migrations so far.
        new_url: An empty database, for the new schema.
        schema: The schema files as one script.
    """
    for migration in packaged_migrations():
        _run(old_url, migration.sql)
    _run(new_url, schema)
    derivation = Derivation(old_url, dumped_objects(new_url))
    derivation.derive()
    if not derivation.statements:
        return None
    unchecked = "set local check_function_bodies to off;"
    return "\n".join((HEADER, unchecked, "", "\n\n".join(derivation.statements), ""))


def write_migration(name: str) -> str:
    """Write the next migration and return a sentence about it.

    Raises:
        SystemExit: It cannot have this name, or nothing is released yet.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise SystemExit("Name it with small letters, digits and _: make migration NAME=add_x")
    if INITIAL_MIGRATION.name not in released_migrations():
        raise SystemExit("Nothing is released yet, so there is one migration: make migrations")
    with tempfile.TemporaryDirectory(prefix="pgflow-migration-") as folder:
        server = EmbeddedPostgres(Path(folder) / "data", durable=False)
        server.start()
        try:
            sql = derived_migration(server.url("pgflow"), server.url("dagster"), assembled_schema())
        finally:
            server.stop(for_everyone=True)
    if sql is None:
        return "The migrations make what the schema files say: there is nothing to write."
    file = MIGRATIONS_FOLDER / f"{packaged_migrations()[-1].version + 1:04}_{name}.sql"
    file.write_text(sql, encoding="utf-8")
    return f"Wrote {file.name}: read it, and see to the lines that begin with {RESOLVE!r}."


def _run(url: str, script: str) -> None:
    connection = psycopg2.connect(url)
    with connection, connection.cursor() as cursor:
        cursor.execute(script)
    connection.close()


if __name__ == "__main__":
    print(write_migration(*sys.argv[1:]))  # noqa: T201  what a command is for
