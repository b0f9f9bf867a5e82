"""Real databases for tests: one server a session, one migrated template, one copy a test."""

import os
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg2
import psycopg2.extensions
from dagster_postgres import DagsterPostgresStorage
from psycopg2 import sql
from sqlalchemy import event
from sqlalchemy.pool import Pool

from dagster_pgflow.embedded import EmbeddedPostgres
from dagster_pgflow.store.database import Database
from dagster_pgflow.store.migrator import make_roles, migrate
from tests.polling import poll

SERVER_VARIABLE = "PGFLOW_TEST_DSN"
ROLE_PREFIX = f"pgflow_test_{uuid.uuid4().hex[:12]}"
"""Roles belong to a whole server, which others may use at the same time."""

SHAPE = """
    select
      (select array_agg(version order by version) from pgflow.migrations),
      (select count(*) from pg_namespace where nspname !~ '^pg_(toast_)?temp'),
      (select array_agg(xmin::text order by oid) from pg_class where oid >= 16384),
      (select array_agg(xmin::text order by oid) from pg_proc where oid >= 16384),
      (select array_agg(xmin::text order by oid) from pg_constraint where oid >= 16384),
      (select array_agg(xmin::text order by oid) from pg_trigger where oid >= 16384),
      (
        select array_agg(setting.setconfig order by setting.setrole)
        from pg_db_role_setting as setting
        join pg_database as database on database.oid = setting.setdatabase
        where database.datname = current_database()
      )
"""
OTHER_USERS = """
    select count(*)
    from pg_stat_activity
    where datname = current_database()
      and backend_type = 'client backend'
      and pid <> pg_backend_pid()
"""
EMPTY = """
    do $$
    declare
      emptied regclass;
    begin
      set local session_replication_role to replica;
      for emptied in
        select oid::regclass
        from pg_class
        where relnamespace = 'pgflow'::regnamespace
          and relkind = 'r'
          and relname not in ('migrations', 'store')
          and pg_relation_size(oid) > 0
      loop
        execute format('delete from %s', emptied);
      end loop;
      perform setval(oid::regclass, 1, false)
      from pg_class
      where relnamespace = 'pgflow'::regnamespace and relkind = 'S';
      update pgflow.store
      set
        store_id = gen_random_uuid(),
        allowed_tags = default,
        tells_events = default,
        pruned_before = default;
    end
    $$
"""


@contextmanager
def running_server(folder: Path) -> Iterator[str]:
    """Yields the address of a server: the one that PGFLOW_TEST_DSN names, else an own one."""
    given = os.environ.get(SERVER_VARIABLE, "").strip()
    if given:
        yield given
        return
    server = EmbeddedPostgres(folder, durable=False)
    server.start()
    try:
        yield server.url("postgres")
    finally:
        server.stop(for_everyone=True)


LEAVE_S = 1.0
"""How long others have for leaving a database, before the next test gets a new one."""


class Server:
    """A PostgreSQL server on which tests make and drop databases.

    A migrated database that a test leaves with nothing but rows is emptied and given to the next
    test, which is many times faster than a new copy of the template.
    """

    def __init__(self, address: str) -> None:
        self._address = address
        self._pooled: list[psycopg2.extensions.connection] = []
        event.listen(Pool, "connect", self._note)
        self._template: str | None = None
        self._dagster_template: str | None = None
        self._shape: object = None
        self._free: list[str] = []
        self._roles: tuple[str, ...] = ()

    def url(self, database: str) -> str:
        """Returns the address of a database, as key=value pairs."""
        dsn: str = psycopg2.extensions.make_dsn(self._address, dbname=database)
        return dsn

    @contextmanager
    def database(self, *, migrated: bool = True, template: str = "template0") -> Iterator[str]:
        """Yields the address of a database of one's own.

        Args:
            migrated: Whether it has the schema.
            template: What it is a copy of where it has not.
        """
        if migrated and self._free:
            name = self._free.pop()
        else:
            name = f"pgflow_test_{uuid.uuid4().hex[:12]}"
            self._create(name, self._migrated_template() if migrated else template)
            if migrated:
                self._become_a_store_of_its_own(name)
        try:
            yield self.url(name)
        finally:
            if migrated and self._emptied(name):
                self._free.append(name)
            else:
                self._drop(name)

    @contextmanager
    def dagster_storage(self) -> Iterator[str]:
        """Yields the address of a database of one's own in which Dagster finds its tables."""
        with self.database(migrated=False, template=self.dagster_tables()) as url:
            yield url

    def dagster_tables(self) -> str:
        """Returns the name of a database with Dagster's tables, which take a second to make."""
        if self._dagster_template is None:
            name = f"dagster_template_{uuid.uuid4().hex[:12]}"
            self._create(name, "template0")
            DagsterPostgresStorage(sqlalchemy_url(self.url(name)))
            self._close_pooled(name)
            self._dagster_template = name
        return self._dagster_template

    def close(self) -> None:
        """Drops what outlives the tests."""
        event.remove(Pool, "connect", self._note)
        for name in (*self._free, self._template, self._dagster_template):
            if name is not None:
                self._drop(name)
        for role in self._roles:
            self._run("drop role if exists {}", role)

    def _migrated_template(self) -> str:
        if self._template is None:
            name = f"pgflow_template_{uuid.uuid4().hex[:12]}"
            self._create(name, "template0")
            database = Database(self.url(name))
            migrate(database)
            self._roles = make_roles(database, ROLE_PREFIX)
            database.close()
            session = Session(self.url(name))
            self._shape = session(SHAPE)
            session.close()
            self._template = name
        return self._template

    def _become_a_store_of_its_own(self, name: str) -> None:
        # The id tells the stores of one Dagster apart; a copy has that of its template.
        session = Session(self.url(name))
        session("update pgflow.store set store_id = gen_random_uuid()")
        session.close()

    def _emptied(self, name: str) -> bool:
        """Empties a database, unless the test changed more than rows or another user is left."""
        self._close_pooled(name)
        session = Session(self.url(name))
        try:
            if session(SHAPE) != self._shape:
                return False
            # A server process ends a moment after its connection.
            poll(lambda: session.value(OTHER_USERS) == 0, timeout=LEAVE_S)
            session(EMPTY)
        except (psycopg2.Error, AssertionError):
            return False
        finally:
            session.close()
        return True

    def _note(self, connection: object, _record: object) -> None:
        # Dagster has pools of SQLite's, too.
        if isinstance(connection, psycopg2.extensions.connection):
            self._pooled.append(connection)

    def _close_pooled(self, name: str) -> None:
        """Closes what pools of this process keep open, such as that of a code location."""
        self._pooled = [connection for connection in self._pooled if not connection.closed]
        for connection in self._pooled:
            if connection.info.dbname == name:
                connection.close()

    def _create(self, name: str, template: str) -> None:
        self._run("create database {} template {}", name, template)

    def _drop(self, name: str) -> None:
        self._run("drop database if exists {} with (force)", name)

    def _run(self, statement: str, *names: str) -> None:
        connection = psycopg2.connect(self._address)
        connection.autocommit = True
        try:
            with connection.cursor() as cursor:
                cursor.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))
        finally:
            connection.close()


class Session:
    """A connection that speaks plain SQL, as a user's psql does: each statement commits.

    Inside `transaction()` nothing commits before its end.
    """

    def __init__(self, url: str) -> None:
        self.connection = psycopg2.connect(url)
        self.connection.autocommit = True

    def __call__(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Runs a statement and returns its rows."""
        with self.connection.cursor() as cursor:
            cursor.execute(statement, parameters or None)
            return cursor.fetchall() if cursor.description is not None else []

    def value(self, statement: str, *parameters: Any) -> Any:
        """Runs a statement that returns one value."""
        [[value]] = self(statement, *parameters)
        return value

    def column(self, statement: str, *parameters: Any) -> list[Any]:
        """Runs a statement and returns its first column."""
        return [row[0] for row in self(statement, *parameters)]

    def records(self, statement: str, *parameters: Any) -> list[dict[str, Any]]:
        """Runs a statement and returns its rows as dicts."""
        with self.connection.cursor() as cursor:
            cursor.execute(statement, parameters or None)
            names: Sequence[str] = [column.name for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Opens a transaction that commits at the end of the block, or rolls back on an error."""
        self("begin")
        try:
            yield
        except BaseException:
            self("rollback")
            raise
        self("commit")

    def close(self) -> None:
        """Ends the session."""
        self.connection.close()


def role_name(role: str) -> str:
    """Returns the name of one of the roles of the schema, such as that of `starter`."""
    return f"{ROLE_PREFIX}_{role}"


def as_role(url: str, role: str) -> str:
    """Returns the address of a migrated database for somebody with the rights of a role."""
    dsn: str = psycopg2.extensions.make_dsn(url, options=f"-c role={role_name(role)}")
    return dsn


def sqlalchemy_url(dsn: str) -> str:
    """Returns the form of an address that dagster-postgres takes."""
    parts = psycopg2.extensions.parse_dsn(dsn)
    if parts["host"].startswith("/"):
        return f"postgresql+psycopg2://{parts['user']}@/{parts['dbname']}?host={parts['host']}"
    password = f":{parts['password']}" if "password" in parts else ""
    place = f"{parts['host']}:{parts.get('port', 5432)}"
    return f"postgresql+psycopg2://{parts['user']}{password}@{place}/{parts['dbname']}"
