"""Writes the initial migration from the schema files: `make migrations`.

Before the first release there is one migration, and it is the schema files in their order. Since
then, a change of a schema file comes with a migration of its own (`make migration NAME=...`), and a
test compares the two.
"""

from pathlib import Path

from dagster_pgflow.store.released import released_migrations

STORE = Path(__file__).parent
SCHEMA_FOLDER = STORE / "schema"
INITIAL_MIGRATION = STORE / "migrations" / "0001_initial.sql"


def assembled_schema(folder: Path = SCHEMA_FOLDER) -> str:
    """Return the schema files as one script, in the order of their numbers."""
    parts = (
        f"-- {file.name}\n{file.read_text(encoding='utf-8').strip()}\n"
        for file in sorted(folder.glob("*.sql"))
    )
    return "\n".join(parts)


if __name__ == "__main__":
    if INITIAL_MIGRATION.name in released_migrations():
        raise SystemExit(
            f"{INITIAL_MIGRATION.name} was released and is never written again; for a changed"
            " schema write the next migration: make migration NAME=..."
        )
    INITIAL_MIGRATION.write_text(assembled_schema(), encoding="utf-8")
