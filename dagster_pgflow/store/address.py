"""Where the store is: every form of a PostgreSQL address becomes the one that libpq reads."""

import os
import re
from dataclasses import dataclass

import psycopg2.extensions
from psycopg2 import ProgrammingError

from dagster_pgflow.errors import ConfigurationError

_SCHEME = re.compile(r"([\w.+-]+)://")
_URL = re.compile(r"\A(?:postgres|postgresql)(?:\+\w+)?://", re.IGNORECASE)
_VARIABLES = {"host": "PGHOST", "port": "PGPORT", "dbname": "PGDATABASE", "user": "PGUSER"}


@dataclass(frozen=True)
class Address:
    """The address of a database.

    Attributes:
        dsn: What libpq connects to; it may hold a password, so it is never shown.
        shown: The same for people: host, port and database.
        database: The database's name.
        user: The user's name, as far as the address says it.
    """

    dsn: str
    shown: str
    database: str
    user: str

    def __repr__(self) -> str:
        return f"Address({self.shown!r})"


def parse_address(url: str) -> Address:
    """Read an address in any form that libpq knows.

    Args:
        url: `postgresql://...` or `postgres://...`, with or without the driver suffix that
            SQLAlchemy takes (`postgresql+psycopg2://`), or `key=value` pairs.

    Raises:
        ConfigurationError: It is none of these.
    """
    stripped = url.strip()
    dsn = _URL.sub("postgresql://", stripped, count=1)
    scheme = _SCHEME.match(dsn)
    if scheme and scheme.group(1) != "postgresql":
        raise ConfigurationError(
            f'The database URL begins with "{scheme.group()}"; write postgresql://user@host/name.'
        )
    try:
        parts = psycopg2.extensions.parse_dsn(dsn)
    except ProgrammingError:
        # libpq's own words may quote the password, so they go no further.
        raise ConfigurationError(
            "The database URL cannot be read; write postgresql://user:password@host:5432/name "
            "and percent-encode special characters in the password."
        ) from None
    # What the address leaves out libpq takes from the environment.
    said = {
        name: parts.get(name) or os.environ.get(variable, "")
        for name, variable in _VARIABLES.items()
    }
    host = said["host"] or parts.get("hostaddr") or "the local socket"
    port = f":{said['port']}" if said["port"] else ""
    database = said["dbname"] or said["user"]
    return Address(dsn, f"{host}{port}/{database}", database, said["user"])
