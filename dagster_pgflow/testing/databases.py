"""A PostgreSQL for the length of a test session, with a database for each test."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dagster_pgflow.embedded import EmbeddedPostgres
from dagster_pgflow.store.copies import DatabaseCopies


@contextmanager
def running_server_for_tests() -> Iterator[DatabaseCopies]:
    """Starts an embedded PostgreSQL that forgets all of it in the end, and ends it.

    Raises:
        EmbeddedPostgresError: It cannot be started.
    """
    # Not below pytest's own folder: each pytest that starts closes that one to other accounts,
    # and started by root the server runs as one of those.
    with tempfile.TemporaryDirectory(prefix="pgflow-tests-") as folder:
        server = EmbeddedPostgres(Path(folder) / "data", durable=False)
        server.start()
        try:
            yield DatabaseCopies(server.url("postgres"))
        finally:
            server.stop(for_everyone=True)
