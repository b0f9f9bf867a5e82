"""Which migrations were released, and so are never changed again: `make release-migrations`.

A database remembers the checksum of each migration that it was given. If a file changed after its
release, every database of that release would be refused by the next one.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from dagster_pgflow.store.schema_changes.marks import unresolved
from dagster_pgflow.store.schema_version import Migration, packaged_migrations
from dagster_pgflow.version import __version__

RELEASED_FILE = Path(__file__).parent / "migrations" / "released.json"


@dataclass(frozen=True)
class Release:
    """How a migration was when it was released.

    Attributes:
        release: The version of the package that brought it, such as `0.1.0`.
        checksum: What `Migration.checksum` was.
    """

    release: str
    checksum: str


def released_migrations(file: Path = RELEASED_FILE) -> Mapping[str, Release]:
    """Return what was released, by the name of the migration's file."""
    entries: dict[str, dict[str, str]] = json.loads(file.read_text(encoding="utf-8"))
    return {name: Release(**entry) for name, entry in entries.items()}


def problems_of_released(
    migrations: tuple[Migration, ...], released: Mapping[str, Release]
) -> Iterator[str]:
    """Yield a sentence for each released migration that is gone or has another text."""
    by_file = {migration.file.name: migration for migration in migrations}
    for name, release in released.items():
        if name not in by_file:
            yield f"{name} was released in {release.release} and is gone; restore it."
        elif by_file[name].checksum != release.checksum:
            yield (
                f"{name} was released in {release.release} and has changed since; restore it, and"
                " write a migration of its own for the change: make migration NAME=..."
            )


def freeze(version: str, file: Path = RELEASED_FILE) -> tuple[str, ...]:
    """Note all migrations that no release had yet as those of this one; return their files.

    Raises:
        ValueError: One of them has lines that its author has to see to.
    """
    for migration in packaged_migrations():
        if left := unresolved(migration.sql):
            raise ValueError(f"{migration.file.name} is not finished: {left[0]}")
    released = released_migrations(file)
    fresh = {
        migration.file.name: Release(version, migration.checksum)
        for migration in packaged_migrations()
        if migration.file.name not in released
    }
    entries = {name: asdict(release) for name, release in {**released, **fresh}.items()}
    file.write_text(json.dumps(entries, indent=2) + "\n", encoding="utf-8")
    return tuple(fresh)


if __name__ == "__main__":
    for sentence in problems_of_released(packaged_migrations(), released_migrations()):
        raise SystemExit(sentence)
    frozen = ", ".join(freeze(__version__)) or "nothing new"
    print(f"Frozen for {__version__}: {frozen}.")  # noqa: T201  what a command is for
