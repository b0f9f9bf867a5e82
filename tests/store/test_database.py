import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg2
import psycopg2.extensions
import pytest
from sqlalchemy.exc import DBAPIError

from dagster_pgflow.embedded import EmbeddedPostgres
from dagster_pgflow.errors import (
    ConfigurationError,
    SchemaMissing,
    SchemaOutdated,
    SchemaTooNew,
    StoreAccessDenied,
    StoreRefused,
    StoreUnreachable,
)
from dagster_pgflow.store.database import Database
from dagster_pgflow.store.schema_version import packaged_migrations
from tests.polling import poll
from tests.postgres import Server, Session

SECRET = "s3cret-word"


@pytest.fixture(scope="module")
def strict_server() -> Iterator[EmbeddedPostgres]:
    """A server that asks the user `locked` for a password."""
    # Another pytest that starts would close a folder of pytest's to the account of the server.
    with (
        tempfile.TemporaryDirectory(prefix="pgflow-tests-") as folder,
        EmbeddedPostgres(Path(folder) / "data", durable=False) as server,
    ):
        session = Session(server.url("postgres"))
        session(f"create role locked login password '{SECRET}'")
        rules = Path(session.value("show hba_file"))
        rules.write_text("local all locked scram-sha-256\n" + rules.read_text())
        session("select pg_reload_conf()")
        session.close()
        locked = psycopg2.extensions.make_dsn(server.url("postgres"), user="locked")
        poll(lambda: is_refused(locked))
        yield server
        server.stop(for_everyone=True)


def is_refused(url: str) -> bool:
    try:
        Session(url).close()
    except psycopg2.OperationalError:
        return True
    return False


def parts_of(url: str) -> dict[str, str]:
    parts: dict[str, str] = psycopg2.extensions.parse_dsn(url)
    return parts


@pytest.mark.parametrize(
    "scheme",
    ["postgres", "postgresql", "postgresql+psycopg2", "postgresql+psycopg", "PostgreSQL+asyncpg"],
)
def test_any_url_form_reaches_the_database(database_url: str, scheme: str) -> None:
    parts = parts_of(database_url)
    query = "&".join(f"{name}={parts[name]}" for name in ("host", "port") if name in parts)
    password = f":{parts['password']}" if "password" in parts else ""
    url = f"{scheme}://{parts['user']}{password}@/{parts['dbname']}?{query}"
    database = Database(f"  {url}\n")
    assert database.fetch_value("fetch_watermark") == 0
    database.close()


def test_key_value_pairs_reach_the_database(database_url: str) -> None:
    database = Database(database_url + " application_name=mine")
    assert database.fetch_value("fetch_watermark") == 0
    database.close()


@pytest.mark.parametrize(
    "url",
    ["mysql://u:s3cret-word@host/db", "s3cret-word", "postgresql://u:s3cret-word%zz@h/x"],
)
def test_what_is_no_address_is_refused_without_showing_the_password(url: str) -> None:
    with pytest.raises(ConfigurationError, match="postgresql://user") as caught:
        Database(url)
    shown = f"{caught.value!r}{caught.value.__cause__!r}"
    assert SECRET not in shown


def test_a_database_never_shows_its_password() -> None:
    database = Database(f"postgresql://me:{SECRET}@db.example:6543/flows")
    assert repr(database) == "Database('db.example:6543/flows')"
    assert SECRET not in repr(database.address)


def test_an_address_may_hold_anything_in_its_password() -> None:
    address = Database("host=db password='x postgres://b' dbname=flows").address
    assert address.shown == "db/flows"
    assert parts_of(address.dsn)["password"] == "x postgres://b"


def test_what_an_address_leaves_out_comes_from_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PGHOST", "db.example")
    monkeypatch.setenv("PGDATABASE", "flows")
    assert Database("").address.shown == "db.example/flows"


def test_a_wrong_password_is_one_sentence_without_the_password(
    strict_server: EmbeddedPostgres,
) -> None:
    parts = parts_of(strict_server.url("postgres")) | {"user": "locked", "password": "wr0ng"}
    with pytest.raises(StoreAccessDenied, match='refused the password of user "locked"') as caught:
        Database(psycopg2.extensions.make_dsn(**parts)).fetch_value("fetch_watermark")
    assert "wr0ng" not in str(caught.value)
    del parts["password"]
    with pytest.raises(StoreAccessDenied, match='wants a password for user "locked"'):
        Database(psycopg2.extensions.make_dsn(**parts)).fetch_value("fetch_watermark")
    right = psycopg2.extensions.make_dsn(**parts, password=SECRET)
    with pytest.raises(SchemaMissing):
        Database(right).fetch_value("fetch_watermark")


def test_an_unknown_user_is_one_sentence(strict_server: EmbeddedPostgres) -> None:
    parts = parts_of(strict_server.url("postgres")) | {"user": "stranger"}
    with pytest.raises(StoreAccessDenied, match='has no user "stranger"; create it'):
        Database(psycopg2.extensions.make_dsn(**parts)).fetch_value("fetch_watermark")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me@127.0.0.1:9/flows?connect_timeout=2",
        "postgresql://me@no-such-host.invalid:5432/flows?connect_timeout=2",
        "postgresql://me@/flows?host=/no/such/folder",
    ],
)
def test_an_unreachable_server_is_one_sentence(url: str) -> None:
    with pytest.raises(StoreUnreachable, match=r"No PostgreSQL answers at .*PGFLOW") as caught:
        Database(url).fetch_value("fetch_watermark")
    assert "\n" not in str(caught.value)


def test_a_missing_database_is_one_sentence(server: Server) -> None:
    with pytest.raises(StoreUnreachable, match=r'There is no database "nowhere" at .*create it'):
        Database(server.url("nowhere")).fetch_value("fetch_watermark")


def test_a_missing_schema_says_how_to_make_it(empty_database_url: str) -> None:
    database = Database(empty_database_url)
    with pytest.raises(SchemaMissing, match="has no pgflow schema; run `dagster-pgflow migrate`"):
        database.fetch_value("fetch_watermark")
    database.close()


def test_a_schema_newer_than_the_code_asks_for_an_upgrade(database: Database, sql: Session) -> None:
    sql("insert into pgflow.migrations values (999, 'future', now(), 'x', false)")
    with pytest.raises(SchemaTooNew, match=r"has version 999, .*upgrade dagster_pgflow"):
        database.fetch_value("fetch_watermark")


def test_a_schema_older_than_the_code_asks_to_migrate(
    database: Database, with_migrations: Callable[..., Path]
) -> None:
    with_migrations("select 1;", "select 1;")
    needed = packaged_migrations()[-1].version
    told = f"this code needs {needed}; run `dagster-pgflow migrate`"
    with pytest.raises(SchemaOutdated, match=told):
        database.fetch_value("fetch_watermark")


def test_a_user_without_rights_is_told_so(server: Server, database_url: str, sql: Session) -> None:
    role = "limited_" + parts_of(database_url)["dbname"]
    sql(f"create role {role} login password '{SECRET}'")
    parts = parts_of(database_url) | {"user": role, "password": SECRET}
    database = Database(psycopg2.extensions.make_dsn(**parts))
    with pytest.raises(StoreAccessDenied, match="lacks a right: permission denied"):
        database.fetch_value("fetch_watermark")
    database.close()
    sql(f"drop role {role}")


def define_two(database: Database, second_slug: str, *, then_fail: bool = False) -> None:
    with database.transaction() as transaction:
        transaction.fetch_value("replace_flow", definition='{"slug": "f"}')
        transaction.fetch_value("replace_flow", definition=f'{{"slug": "{second_slug}"}}')
        if then_fail:
            raise RuntimeError


def test_a_transaction_is_all_or_nothing(database: Database, sql: Session) -> None:
    with pytest.raises(StoreRefused):
        define_two(database, "1st")
    with pytest.raises(RuntimeError):
        define_two(database, "g", then_fail=True)
    assert sql("select * from pgflow.flows") == []
    define_two(database, "g")
    assert sql.column("select flow_slug from pgflow.flows order by 1") == ["f", "g"]


def test_errors_keep_the_driver_error_as_their_cause(database: Database) -> None:
    with pytest.raises(StoreRefused) as caught:
        database.fetch_value("replace_flow", definition='{"slug": "1st"}')
    assert isinstance(caught.value.__cause__, DBAPIError)
    assert isinstance(caught.value.__cause__.orig, psycopg2.errors.CheckViolation)


def test_constraints_speak_with_their_names_and_values(database: Database) -> None:
    step: dict[str, Any] = {"slug": "a", "when_unmet": "explode"}
    definition = '{"slug": "f", "steps": [%s]}'
    with pytest.raises(StoreRefused, match=r'check constraint "when_unmet_is_valid"\.$'):
        database.fetch_value("replace_flow", definition=definition % str(step).replace("'", '"'))
    with pytest.raises(StoreRefused, match=r"\(flow_slug, dep_slug\)=\(f, b\) is not present"):
        database.fetch_value(
            "replace_flow", definition=definition % '{"slug": "a", "depends_on": ["b"]}'
        )


def end_connections_of_the_store(sql: Session) -> None:
    sql(
        "select pg_terminate_backend(pid) from pg_stat_activity"
        " where application_name = 'dagster_pgflow' and datname = current_database()"
    )


def lose_the_connection(database: Database, sql: Session) -> None:
    with database.transaction() as transaction:
        transaction.fetch_value("fetch_watermark")
        end_connections_of_the_store(sql)
        transaction.fetch_value("fetch_watermark")


def test_a_lost_connection_is_told_and_the_next_transaction_has_a_new_one(
    database: Database, sql: Session
) -> None:
    with pytest.raises(StoreUnreachable, match=r"is not available now|was lost"):
        lose_the_connection(database, sql)
    assert database.fetch_value("fetch_watermark") == 0
    end_connections_of_the_store(sql)
    assert database.fetch_value("fetch_watermark") == 0


def test_a_forked_process_opens_connections_of_its_own(database: Database, sql: Session) -> None:
    assert database.fetch_value("fetch_watermark") == 0
    child = os.fork()
    if child == 0:
        try:
            os._exit(0 if database.fetch_value("fetch_watermark") == 0 else 1)
        finally:
            os._exit(2)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert database.fetch_value("fetch_watermark") == 0


def test_parameters_do_not_appear_in_messages(database: Database) -> None:
    with pytest.raises(StoreRefused, match="uuid") as caught:
        database.fetch_value(
            "start_flow", flow_slug="f", input=f'"{SECRET}"', run_id="no uuid", priority=0
        )
    assert SECRET not in str(caught.value)
