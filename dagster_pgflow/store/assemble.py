"""Writes the initial migration from the schema files: `make migrations`.

Before the first release there is one migration, and it is the schema files in their order. After
it, a change of a schema file comes with a migration of its own, and a test compares the two.
"""

from pathlib import Path

STORE = Path(__file__).parent
INITIAL_MIGRATION = STORE / "migrations" / "0001_initial.sql"


def assembled_schema() -> str:
    """Return the schema files as one script, in the order of their numbers."""
    parts = (
        f"-- {file.name}\n{file.read_text(encoding='utf-8').strip()}\n"
        for file in sorted((STORE / "schema").glob("*.sql"))
    )
    return "\n".join(parts)


if __name__ == "__main__":
    INITIAL_MIGRATION.write_text(assembled_schema(), encoding="utf-8")
