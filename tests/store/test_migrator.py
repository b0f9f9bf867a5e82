import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dagster_pgflow.embedded.binaries import by_major_version
from dagster_pgflow.errors import SchemaTooNew, StoreRefused
from dagster_pgflow.store.assemble import INITIAL_MIGRATION, assembled_schema
from dagster_pgflow.store.database import Database
from dagster_pgflow.store.migrator import migrate, pending, print_sql
from dagster_pgflow.store.released import released_migrations
from dagster_pgflow.store.schema_version import Migration, packaged_migrations
from tests.postgres import ROLE_PREFIX, Server, Session

PROGRAMS = by_major_version()[max(by_major_version())]


@pytest.fixture
def empty(empty_database_url: str) -> Iterator[Database]:
    database = Database(empty_database_url)
    yield database
    database.close()


@pytest.fixture
def empty_sql(empty_database_url: str) -> Iterator[Session]:
    session = Session(empty_database_url)
    yield session
    session.close()


def schema_of(url: str) -> str:
    dump = subprocess.run(
        [PROGRAMS / "pg_dump", "--schema-only", "--no-owner", "--schema=pgflow", url],
        capture_output=True,
        text=True,
        check=True,
    )
    # The restrict key is random in each dump.
    lines = dump.stdout.splitlines()
    return "\n".join(line for line in lines if not line.startswith(("\\restrict", "\\unrestrict")))


def run_psql(url: str, script: str) -> None:
    subprocess.run(
        [PROGRAMS / "psql", "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", url],
        input=script,
        capture_output=True,
        text=True,
        check=True,
    )


def test_an_empty_database_gets_the_schema_once(empty: Database, empty_sql: Session) -> None:
    assert pending(empty) == packaged_migrations()
    assert migrate(empty) == packaged_migrations()
    assert pending(empty) == ()
    assert migrate(empty) == ()
    assert empty_sql("select version, name from pgflow.migrations order by 1") == [
        (migration.version, migration.name) for migration in packaged_migrations()
    ]
    assert packaged_migrations()[0].name == "initial"
    assert empty.fetch_value("fetch_watermark") == 0


def test_of_several_migrators_one_works_and_all_succeed(
    empty_database_url: str, empty_sql: Session
) -> None:
    done: list[int] = []
    start = threading.Barrier(5)

    def work() -> None:
        database = Database(empty_database_url)
        start.wait()
        done.append(len(migrate(database)))
        database.close()

    threads = [threading.Thread(target=work) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done) == [0, 0, 0, 0, len(packaged_migrations())]
    assert empty_sql.value("select count(*) from pgflow.store") == 1


def test_until_it_is_released_the_initial_migration_is_the_schema_files() -> None:
    is_frozen = INITIAL_MIGRATION.name in released_migrations()
    assert is_frozen or INITIAL_MIGRATION.read_text(encoding="utf-8") == assembled_schema(), (
        "run `make migrations`"
    )


def test_the_migrations_make_the_same_schema_as_the_files(
    empty_database_url: str, database_url: str
) -> None:
    run_psql(empty_database_url, f"{assembled_schema()} select pgflow.make_roles('{ROLE_PREFIX}');")
    assert schema_of(empty_database_url) == schema_of(database_url), (
        "run `make migration NAME=...`, and resolve what it could not derive"
    )


def test_the_printed_script_does_what_the_migrator_does(
    empty_database_url: str,
    empty: Database,
    empty_sql: Session,
    database_url: str,
    sql: Session,
) -> None:
    run_psql(empty_database_url, print_sql(role_prefix=ROLE_PREFIX))
    assert migrate(empty) == ()
    remembered = "select version, name, checksum, old_code_works from pgflow.migrations order by 1"
    assert empty_sql(remembered) == sql(remembered)
    assert schema_of(empty_database_url) == schema_of(database_url)


def test_the_schema_survives_a_dump_and_its_restoration(
    empty_database_url: str, database_url: str, sql: Session, empty_sql: Session
) -> None:
    sql("select pgflow.create_flow('f'), pgflow.add_step('f', 'a')")
    sql("select pgflow.start_flow('f')")
    dump = subprocess.run(
        [PROGRAMS / "pg_dump", "--no-owner", database_url],
        capture_output=True,
        text=True,
        check=True,
    )
    # Newer programs speak of a setting that older servers do not have.
    script = dump.stdout.replace("SET transaction_timeout = 0;", "")
    run_psql(empty_database_url, script)
    assert schema_of(empty_database_url) == schema_of(database_url)
    empty_sql("select pgflow.add_step('f', 'b', '{a}')")
    versions = "select version_id, version, definition from pgflow.flow_versions order by 1"
    assert empty_sql(versions)[:-1] == sql(versions)
    assert empty_sql.value("select max(version) from pgflow.flow_versions") == 2


def test_a_schema_that_an_administrator_made_is_used(empty: Database, empty_sql: Session) -> None:
    empty_sql("create schema pgflow")
    assert migrate(empty) == packaged_migrations()


def test_a_schema_of_somebody_else_is_left_alone(empty: Database, empty_sql: Session) -> None:
    empty_sql("create schema pgflow")
    empty_sql("create table pgflow.flows (flow_slug text)")
    for act in (migrate, pending):
        with pytest.raises(StoreRefused, match="did not make; use another database"):
            act(empty)
    assert empty_sql.column("select relname::text from pg_class where relname = 'runs'") == []


def test_a_newer_schema_is_left_alone(database: Database, sql: Session) -> None:
    sql("insert into pgflow.migrations values (999, 'future', now(), 'x', false)")
    with pytest.raises(SchemaTooNew, match="upgrade dagster_pgflow"):
        migrate(database)


def test_a_later_migration_is_applied_alone_and_a_broken_one_leaves_nothing(
    database: Database, sql: Session, with_migrations: Callable[..., Path]
) -> None:
    known = sql.column("select version from pgflow.migrations order by 1")
    folder = with_migrations(
        "create table pgflow.more (note text default '100%');",
        "create table pgflow.even_more (); select 1 / 0;",
    )
    more, broken = sorted(folder.iterdir())[-2:]
    later = int(more.name[:4])

    with pytest.raises(StoreRefused, match="division by zero"):
        migrate(database)
    assert [migration.version for migration in pending(database)] == [later, later + 1]
    assert sql.column("select version from pgflow.migrations order by 1") == known

    broken.unlink()
    assert migrate(database) == (Migration(later, "new", more),)
    assert more.name[:4] not in print_sql(pending(database))
    assert sql.column("select version from pgflow.migrations order by 1") == [*known, later]


def test_the_shown_script_of_nothing_is_empty(server: Server, database: Database) -> None:
    assert "create" not in print_sql(pending(database))
