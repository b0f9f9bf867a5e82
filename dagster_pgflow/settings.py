"""What the environment says: where things are stored, and how patient we are with silent runs.

It is read when it is asked for.

`PGFLOW_DATABASE_URL`
    A PostgreSQL server of yours, in any form that libpq knows (with or without an SQLAlchemy
    driver suffix).
`PGFLOW_DATA_DIR`
    Without the URL: the folder of the embedded PostgreSQL, which is started when needed. A
    relative path counts from the working directory of each process, so processes that share a
    server had better get a full one. When this is not given either, the folder is `postgres`
    in the place that the operating system reserves for a user's application data, such as
    `~/.local/share/dagster-pgflow`.
`PGFLOW_PORT`
    A port of 127.0.0.1 on which the embedded PostgreSQL listens besides its Unix socket, with a
    password, for clients that know no sockets. Without it there is none.
`PGFLOW_STUCK_AFTER`
    Seconds without activity after which Dagster is asked whether a run still lives (300); 0 means
    never.
`PGFLOW_LOST_AFTER`
    Seconds without activity after which a run ends of which nobody can say whether it lives
    (3600), if its steps may not be silent for longer by their own timeouts.
`PGFLOW_DATABASE_PATIENCE`
    Seconds for which a run waits for a database that is away, each time that it has something to
    read or to store (120); 0 means that it does not wait.
"""

import os
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

from dagster_pgflow.errors import ConfigurationError

if TYPE_CHECKING:
    from dagster_pgflow.embedded import EmbeddedPostgres

DATABASE_URL_VARIABLE = "PGFLOW_DATABASE_URL"
DATA_DIR_VARIABLE = "PGFLOW_DATA_DIR"
PORT_VARIABLE = "PGFLOW_PORT"
STUCK_AFTER_VARIABLE = "PGFLOW_STUCK_AFTER"
LOST_AFTER_VARIABLE = "PGFLOW_LOST_AFTER"
DATABASE_PATIENCE_VARIABLE = "PGFLOW_DATABASE_PATIENCE"

DATABASE_PATIENCE_S = 120.0


@dataclass(frozen=True)
class StuckThresholds:
    """How long a run may be silent.

    Attributes:
        stuck_after: Seconds until Dagster is asked whether it still lives; 0 means never.
        lost_after: Seconds until it ends, when nobody can say whether it lives.
    """

    stuck_after: float = 300.0
    lost_after: float = 3600.0


def configured_url() -> str | None:
    """Returns the URL of the user's own server; None means the embedded PostgreSQL."""
    return os.environ.get(DATABASE_URL_VARIABLE, "").strip() or None


def data_dir() -> Path:
    """Returns the data folder of the embedded PostgreSQL; it need not exist yet."""
    chosen = os.environ.get(DATA_DIR_VARIABLE, "").strip()
    if chosen:
        return Path(chosen).expanduser().absolute()
    return platformdirs.user_data_path("dagster-pgflow", appauthor=False) / "postgres"


def embedded_port() -> int | None:
    """Returns the port that the embedded PostgreSQL shall listen on, if it shall.

    Raises:
        ConfigurationError: The variable holds no number of a port.
    """
    text = os.environ.get(PORT_VARIABLE, "").strip()
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and 0 < int(text) < 65536):
        raise ConfigurationError(
            f'{PORT_VARIABLE} is "{text}"; give the number of a port, such as 5433.'
        )
    return int(text)


def embedded_postgres() -> "EmbeddedPostgres":
    """Returns the embedded PostgreSQL of this process, not yet started.

    Raises:
        ConfigurationError: The operating system has no Unix sockets and file locks, or
            `PGFLOW_PORT` is no port.
    """
    if sys.platform == "win32":
        raise ConfigurationError(
            f"The embedded PostgreSQL runs on Linux and macOS only; set {DATABASE_URL_VARIABLE} "
            f"to a server of yours."
        )
    return _embedded_postgres(data_dir(), embedded_port())


def database_url() -> str:
    """Returns the URL of the database that holds the flows, starting the embedded one if needed.

    The process then uses the embedded server until it ends; see `dagster_pgflow.embedded`.

    Raises:
        ConfigurationError: The embedded PostgreSQL cannot be started.
    """
    return configured_url() or embedded_postgres().start()


def stuck_thresholds() -> StuckThresholds:
    """Returns how long a run may be silent.

    Raises:
        ConfigurationError: A variable holds no number of seconds.
    """
    return StuckThresholds(
        stuck_after=_seconds(STUCK_AFTER_VARIABLE, StuckThresholds.stuck_after),
        lost_after=_seconds(LOST_AFTER_VARIABLE, StuckThresholds.lost_after),
    )


def database_patience() -> float:
    """Returns for how many seconds a run waits for a database that is away.

    Raises:
        ConfigurationError: The variable holds no number of seconds.
    """
    return _seconds(DATABASE_PATIENCE_VARIABLE, DATABASE_PATIENCE_S)


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


def _seconds(variable: str, default: float) -> float:
    text = os.environ.get(variable, "").strip()
    if not text:
        return default
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise ConfigurationError(f'{variable} is "{text}"; give a number of seconds, such as 300.')
    return seconds


@cache
def _embedded_postgres(folder: Path, port: int | None) -> "EmbeddedPostgres":
    # One for a folder and process, because it holds the lock that says that we use the server.
    from dagster_pgflow.embedded import EmbeddedPostgres  # noqa: PLC0415  not on Windows

    return EmbeddedPostgres(folder, port=port)
