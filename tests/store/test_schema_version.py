"""Which databases this code works with, and what it says to the others."""

from collections.abc import Callable
from pathlib import Path

import pytest

from dagster_pgflow.cli.checks.store import check_schema
from dagster_pgflow.errors import SchemaDiffers, SchemaTooNew
from dagster_pgflow.store import schema_version
from dagster_pgflow.store.database import Database
from dagster_pgflow.store.migrator import migrate, pending
from dagster_pgflow.store.released import (
    Release,
    freeze,
    problems_of_released,
    released_migrations,
)
from dagster_pgflow.store.schema_version import Migration, packaged_migrations
from tests.postgres import Session

WORKS = "-- old code: works\nalter table pgflow.flows add column colour text;"
STOPS = "-- old code: stops\nalter table pgflow.flows rename column colour to color;"
WORKS_TOO = "-- old code: works\nselect 1;"
KNOWN = packaged_migrations()[-1].version


def asks(url: str) -> int:
    """Asks the store something, as a process does that has just begun."""
    database = Database(url)
    try:
        return int(database.fetch_value("fetch_watermark"))
    finally:
        database.close()


def test_old_code_works_after_migrations_that_say_so(
    database: Database,
    database_url: str,
    with_migrations: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with_migrations(WORKS)
    [check] = check_schema(database)
    assert check.says == (
        "1 migration pending; run `dagster-pgflow migrate` while the old version runs."
    )
    assert [migration.version for migration in migrate(database)] == [KNOWN + 1]
    monkeypatch.undo()
    assert asks(database_url) == 0
    assert pending(database) == ()
    assert migrate(database) == ()
    assert [check.state for check in check_schema(database)] == ["ok", "ok"]


def test_old_code_stops_at_the_first_migration_that_it_cannot_live_with(
    database: Database,
    database_url: str,
    with_migrations: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with_migrations(WORKS, STOPS, WORKS_TOO)
    [check] = check_schema(database)
    assert check.says.startswith("3 migrations pending")
    assert check.says.endswith("after the old version has stopped.")
    migrate(database)
    assert asks(database_url) == 0
    monkeypatch.undo()
    told = (
        rf"has version {KNOWN + 3}, this code knows {KNOWN} and cannot work with migration"
        rf" {KNOWN + 2} \(new\); upgrade"
    )
    for act in (pending, migrate, lambda _: asks(database_url)):
        with pytest.raises(SchemaTooNew, match=told):
            act(database)
    [check] = check_schema(database)
    assert check.state == "failed"


@pytest.mark.parametrize(
    ("sql", "works"),
    [
        ("-- old code: works\nselect 1;", True),
        ("-- What it is for.\n-- old code: works\nselect 1;", True),
        ("-- old code: stops\nselect 1;", False),
        ("select 1;", False),
        ("select '-- old code: works';", False),
    ],
)
def test_a_migration_says_whether_old_code_works(tmp_path: Path, sql: str, works: bool) -> None:
    file = tmp_path / "0002_x.sql"
    file.write_text(sql)
    assert Migration(2, "x", file).old_code_works is works


def test_every_migration_after_the_first_says_whether_old_code_works() -> None:
    silent = [
        migration.file.name
        for migration in packaged_migrations()[1:]
        if not schema_version.OLD_CODE.search(migration.sql)
    ]
    assert silent == []


def test_a_migration_that_was_another_one_is_refused(
    database: Database, database_url: str, sql: Session
) -> None:
    sql("update pgflow.migrations set checksum = 'that of another text' where version = 1")
    told = r"Migration 1 \(initial\) of .* was another one than that of this code, so .* use the"
    for act in (pending, migrate, lambda _: asks(database_url)):
        with pytest.raises(SchemaDiffers, match=told):
            act(database)
    [check] = check_schema(database)
    assert "was another one" in check.says


def test_a_schema_from_before_the_first_release_is_refused(
    database: Database, database_url: str, sql: Session
) -> None:
    sql("alter table pgflow.migrations drop column checksum, drop column old_code_works")
    for act in (pending, migrate, lambda _: asks(database_url)):
        with pytest.raises(SchemaDiffers, match="older than the first release"):
            act(database)


def test_a_checksum_does_not_depend_on_the_ends_of_lines(tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("0001_unix.sql", "0001_windows.sql", "0001_other.sql")]
    for file, text in zip(files, (b"a\nb\n", b"a\r\nb\r\n", b"a\nb"), strict=True):
        file.write_bytes(text)
    unix, windows, other = (Migration(1, "x", file).checksum for file in files)
    assert unix == windows != other


def test_no_released_migration_has_changed() -> None:
    assert list(problems_of_released(packaged_migrations(), released_migrations())) == []


def test_what_is_frozen_is_missed_and_may_not_change(tmp_path: Path) -> None:
    file = tmp_path / "released.json"
    file.write_text("{}\n")
    everything = tuple(migration.file.name for migration in packaged_migrations())
    assert freeze("0.1.0", file) == everything
    assert freeze("0.2.0", file) == ()
    frozen = released_migrations(file)
    assert {release.release for release in frozen.values()} == {"0.1.0"}
    assert list(problems_of_released(packaged_migrations(), frozen)) == []

    [gone] = problems_of_released((), {"0001_initial.sql": frozen["0001_initial.sql"]})
    assert gone == "0001_initial.sql was released in 0.1.0 and is gone; restore it."
    [changed] = problems_of_released(
        packaged_migrations(), {"0001_initial.sql": Release("0.1.0", "that of another text")}
    )
    assert "has changed since; restore it" in changed
