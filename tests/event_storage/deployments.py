"""Two deployments of Dagster, one with dagster-postgres as it comes and one with our storage."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import dagster as dg

from tests.postgres import Server, sqlalchemy_url

OURS = """
storage:
  custom:
    module: dagster_pgflow.dagster_storage
    class: BufferedPostgresStorage
    config:
      postgres_url: {url}
{more}
"""
PLAIN = """
storage:
  postgres:
    postgres_url: {url}
{more}
"""
QUIET = """
telemetry:
  enabled: false
run_retries:
  enabled: true
python_logs:
  managed_python_loggers: [told]
"""


@dataclass(frozen=True)
class Deployment:
    """A Dagster with a database of its own.

    Attributes:
        home: Where its `dagster.yaml` is.
        dsn: The database, as libpq knows it.
        instance: What runs there.
    """

    home: Path
    dsn: str
    instance: dg.DagsterInstance

    def new_instance(self) -> dg.DagsterInstance:
        """Returns an instance as another process would have it."""
        return dg.DagsterInstance.from_config(str(self.home))


@contextmanager
def deployment(server: Server, home: Path, storage: str, **config: int) -> Iterator[Deployment]:
    """Yields a deployment on a database of its own.

    Args:
        server: Where the database is made.
        home: A folder that is not there yet.
        storage: `PLAIN` or `OURS`.
        config: More of the storage's configuration.
    """
    more = "".join(f"      {name}: {value}\n" for name, value in config.items())
    home.mkdir()
    with server.dagster_storage() as dsn:
        text = storage.format(url=sqlalchemy_url(dsn), more=more)
        (home / "dagster.yaml").write_text(text + QUIET)
        with dg.DagsterInstance.from_config(str(home)) as instance:
            yield Deployment(home, dsn, instance)
