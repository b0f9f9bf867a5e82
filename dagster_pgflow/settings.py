"""What the environment says about where things are stored, read when it is asked for.

`PGFLOW_DATABASE_URL`
    A PostgreSQL server of yours, in any form that libpq knows (with or without an SQLAlchemy
    driver suffix).
`PGFLOW_DATA_DIR`
    Without the URL: the folder of the embedded PostgreSQL, which is started when needed. A
    relative path counts from the working directory of each process, so processes that share a
    server had better get a full one. When this is not given either, the folder is `postgres`
    in the place that the operating system reserves for a user's application data, such as
    `~/.local/share/dagster-pgflow`.
"""

import os
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

from dagster_pgflow.errors import ConfigurationError

if TYPE_CHECKING:
    from dagster_pgflow.embedded import EmbeddedPostgres

DATABASE_URL_VARIABLE = "PGFLOW_DATABASE_URL"
DATA_DIR_VARIABLE = "PGFLOW_DATA_DIR"


def configured_url() -> str | None:
    """Returns the URL of the user's own server; None means the embedded PostgreSQL."""
    return os.environ.get(DATABASE_URL_VARIABLE, "").strip() or None


def data_dir() -> Path:
    """Returns the data folder of the embedded PostgreSQL; it need not exist yet."""
    chosen = os.environ.get(DATA_DIR_VARIABLE, "").strip()
    if chosen:
        return Path(chosen).expanduser().absolute()
    return platformdirs.user_data_path("dagster-pgflow", appauthor=False) / "postgres"


def embedded_postgres() -> "EmbeddedPostgres":
    """Returns the embedded PostgreSQL of this process, not yet started.

    Raises:
        ConfigurationError: The operating system has no Unix sockets and file locks.
    """
    if sys.platform == "win32":
        raise ConfigurationError(
            f"The embedded PostgreSQL runs on Linux and macOS only; set {DATABASE_URL_VARIABLE} "
            f"to a server of yours."
        )
    return _embedded_postgres(data_dir())


def database_url() -> str:
    """Returns the URL of the database that holds the flows, starting the embedded one if needed.

    The process then uses the embedded server until it ends; see `dagster_pgflow.embedded`.

    Raises:
        ConfigurationError: The embedded PostgreSQL cannot be started.
    """
    return configured_url() or embedded_postgres().start()


def dagster_storage_url() -> str | None:
    """Returns a URL for the `storage` section of a `dagster.yaml`, on the embedded server.

    It names the database `dagster`, beside `pgflow`, and the driver that dagster-postgres
    needs. None with a server of the user's own: where Dagster keeps its runs is theirs to say.

    Raises:
        ConfigurationError: The embedded PostgreSQL cannot be started.
    """
    if configured_url() is not None:
        return None
    server = embedded_postgres()
    server.start()
    # A bare postgresql:// means psycopg 3 to SQLAlchemy 2.1, which dagster-postgres cannot use.
    return server.url("dagster", driver="psycopg2")


@cache
def _embedded_postgres(folder: Path) -> "EmbeddedPostgres":
    # One for a folder and process, because it holds the lock that says that we use the server.
    from dagster_pgflow.embedded import EmbeddedPostgres  # noqa: PLC0415  not on Windows

    return EmbeddedPostgres(folder)
