"""Databases that are copies of a migrated one: a store of its own for each test, in a moment."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import psycopg2
import psycopg2.extensions
from psycopg2 import sql

from dagster_pgflow.store.address import parse_address
from dagster_pgflow.store.database import Database
from dagster_pgflow.store.failures import of_driver
from dagster_pgflow.store.migrator import migrate


class DatabaseCopies:
    """A server on which databases with the schema are made and dropped.

    Args:
        url: A database of the server, of a role that may make others.
    """

    def __init__(self, url: str) -> None:
        self._address = parse_address(url)
        self._template: str | None = None

    @contextmanager
    def copy(self) -> Iterator[str]:
        """Yields the URL of a database with the schema, which is dropped afterwards.

        Raises:
            StoreError: The server cannot be reached or says no.
        """
        template = self._migrated_template()
        name = self._created(template)
        try:
            # The id tells the stores of one Dagster apart; a copy has that of its template.
            self._run(sql.SQL("update pgflow.store set store_id = gen_random_uuid()"), name)
            yield self._url(name)
        finally:
            self._drop(name)

    def close(self) -> None:
        """Drops what the copies were made of."""
        if self._template is not None:
            self._drop(self._template)
            self._template = None

    def _migrated_template(self) -> str:
        if self._template is None:
            name = self._created("template0")
            database = Database(self._url(name))
            try:
                migrate(database)
            finally:
                database.close()
            self._template = name
        return self._template

    def _created(self, template: str) -> str:
        name = f"pgflow_test_{uuid4().hex[:12]}"
        statement = sql.SQL("create database {} template {}")
        self._run(statement.format(sql.Identifier(name), sql.Identifier(template)))
        return name

    def _drop(self, name: str) -> None:
        statement = sql.SQL("drop database if exists {} with (force)")
        self._run(statement.format(sql.Identifier(name)))

    def _url(self, database: str) -> str:
        url: str = psycopg2.extensions.make_dsn(self._address.dsn, dbname=database)
        return url

    def _run(self, statement: sql.Composable, database: str | None = None) -> None:
        dsn = self._address.dsn if database is None else self._url(database)
        connection = None
        try:
            connection = psycopg2.connect(dsn)
            # A database is made and dropped outside of transactions.
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(statement)
        except psycopg2.Error as error:
            was_connected = connection is not None
            raise of_driver(error, self._address, was_connected=was_connected) from error
        finally:
            if connection is not None:
                connection.close()
