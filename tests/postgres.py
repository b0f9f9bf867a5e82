"""Real databases for tests: one server a session, one migrated template, one copy a test."""

import os
import uuid
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
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
      kept constant name[] := array[{kept}];
    begin
      set local session_replication_role to replica;
      for emptied in
        select oid::regclass
        from pg_class
        where relnamespace = '{schema}'::regnamespace
          and relkind = 'r'
          and relname <> all (kept)
          and pg_relation_size(oid) > 0
      loop
        execute format('delete from %s', emptied);
      end loop;
      perform setval(sequence.oid::regclass, 1, false)
      from pg_class as sequence
      where relnamespace = '{schema}'::regnamespace
        and relkind = 'S'
        and not exists (
          select
          from pg_depend
          join pg_class as of_table on of_table.oid = refobjid
          where objid = sequence.oid and of_table.relname = any (kept)
        );
    end
    $$
"""
OWN_STORE = """
    update pgflow.store
    set
      store_id = gen_random_uuid(),
      allowed_tags = default,
      tells_events = default,
      pruned_before = default
"""


@dataclass
class Template:
    """A database that tests get copies of, and what makes a used copy like a new one.

    Attributes:
        name: The database.
        schema: Where its tables are.
        kept: Those whose rows are as in the template, or the copy goes to nobody.
        own: What gives a copy an identity of its own.
        shape: What the template consists of, besides rows.
        free: Copies that are like new.
    """

    name: str
    schema: str
    kept: Sequence[str]
    own: str = ""
    shape: object = None
    free: list[str] = field(default_factory=list)

    def shape_of(self, session: "Session") -> object:
        """Returns what a database consists of, and the rows that are to stay as they are."""
        rows = [session(f"select * from {self.schema}.{table}") for table in self.kept]
        return session(SHAPE), [sorted(map(repr, found)) for found in rows]

    def empty(self, session: "Session") -> None:
        """Deletes the rows of a copy."""
        kept = ", ".join(f"'{table}'" for table in (*self.kept, "store"))
        session(EMPTY.format(schema=self.schema, kept=kept))
        if self.own:
            session(self.own)


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


DAGSTERS_OWN = ["alembic_version", "secondary_indexes", "instance_info"]
"""What a new storage of Dagster has rows in: which migrations it had, and its id."""

LEAVE_S = 1.0
"""How long others have for leaving a database, before the next test gets a new one."""


class Server:
    """A PostgreSQL server on which tests make and drop databases.

    A database with tables that a test leaves with nothing but rows is emptied and given to the next
    test, which is many times faster than a new copy of the template.
    """

    def __init__(self, address: str) -> None:
        self._address = address
        self._pooled: list[psycopg2.extensions.connection] = []
        event.listen(Pool, "connect", self._note)
        self._store: Template | None = None
        self._dagster: Template | None = None
        self._roles: tuple[str, ...] = ()

    def url(self, database: str) -> str:
        """Returns the address of a database, as key=value pairs."""
        dsn: str = psycopg2.extensions.make_dsn(self._address, dbname=database)
        return dsn

    @contextmanager
    def database(self, *, migrated: bool = True) -> Iterator[str]:
        """Yields the address of a database of one's own.

        Args:
            migrated: Whether it has the schema.
        """
        if migrated:
            with self._copy(self._migrated()) as url:
                yield url
            return
        name = self._new("template0")
        try:
            yield self.url(name)
        finally:
            self._drop(name)

    @contextmanager
    def dagster_storage(self) -> Iterator[str]:
        """Yields the address of a database of one's own in which Dagster finds its tables."""
        with self._copy(self._dagster_template()) as url:
            yield url

    def close(self) -> None:
        """Drops what outlives the tests."""
        event.remove(Pool, "connect", self._note)
        for template in (self._store, self._dagster):
            if template is not None:
                for name in (*template.free, template.name):
                    self._drop(name)
        for role in self._roles:
            self._run("drop role if exists {}", role)

    @contextmanager
    def _copy(self, template: Template) -> Iterator[str]:
        name = template.free.pop() if template.free else self._new_copy(template)
        try:
            yield self.url(name)
        finally:
            if self._emptied(name, template):
                template.free.append(name)
            else:
                self._drop(name)

    def _migrated(self) -> Template:
        if self._store is None:
            name = self._new("template0")
            database = Database(self.url(name))
            migrate(database)
            self._roles = make_roles(database, ROLE_PREFIX)
            database.close()
            self._store = self._template(Template(name, "pgflow", ["migrations"], own=OWN_STORE))
        return self._store

    def _dagster_template(self) -> Template:
        if self._dagster is None:
            name = self._new("template0")
            DagsterPostgresStorage(sqlalchemy_url(self.url(name)))
            self._close_pooled(name)
            self._dagster = self._template(Template(name, "public", DAGSTERS_OWN))
        return self._dagster

    def _template(self, template: Template) -> Template:
        session = Session(self.url(template.name))
        template.shape = template.shape_of(session)
        session.close()
        return template

    def _new_copy(self, template: Template) -> str:
        name = self._new(template.name)
        if template.own:
            session = Session(self.url(name))
            session(template.own)
            session.close()
        return name

    def _emptied(self, name: str, template: Template) -> bool:
        """Empties a database, unless the test changed more than rows or another user is left."""
        self._close_pooled(name)
        try:
            with closing(Session(self.url(name))) as session:
                if template.shape_of(session) != template.shape:
                    return False
                # A server process ends a moment after its connection.
                poll(lambda: session.value(OTHER_USERS) == 0, timeout=LEAVE_S)
                template.empty(session)
        except (psycopg2.Error, AssertionError):
            return False
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

    def _new(self, template: str) -> str:
        name = f"pgflow_test_{uuid.uuid4().hex[:12]}"
        self._run("create database {} template {}", name, template)
        return name

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
