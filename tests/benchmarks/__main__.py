"""Runs the benchmarks, all or those that are named: `python -m tests.benchmarks map`."""

import logging
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg

from tests.benchmarks.bench_documents import bench_documents
from tests.benchmarks.bench_expressions import bench_expressions
from tests.benchmarks.bench_large_map import bench_large_map
from tests.benchmarks.bench_loading import bench_loading
from tests.benchmarks.bench_map import bench_map
from tests.benchmarks.bench_projection import bench_projection
from tests.benchmarks.bench_subflows import bench_subflows
from tests.postgres import Server, running_server, sqlalchemy_url


def main(names: list[str]) -> None:
    """Runs them on a PostgreSQL of their own."""
    logging.disable(logging.CRITICAL)
    if not names or "documents" in names:
        bench_documents()
    if not names or "expressions" in names:
        bench_expressions()
    if names and {"documents", "expressions"}.issuperset(names):
        return  # They need no database.
    with (
        tempfile.TemporaryDirectory(prefix="pgflow-bench-") as folder,
        running_server(Path(folder) / "data") as address,
    ):
        server = Server(address)
        if not names or "loading" in names:
            bench_loading(server)
        if not names or "map" in names:
            with _instance(server) as instance:
                bench_map(server, instance)
        if not names or "subflows" in names:
            with _instance(server) as instance:
                bench_subflows(server, instance)
        if not names or "large_map" in names:
            with _instance(server) as instance:
                bench_large_map(server, instance)
        if not names or "projection" in names:
            with _instance(server) as instance:
                bench_projection(server, instance)
        server.close()


@contextmanager
def _instance(server: Server) -> Iterator[dg.DagsterInstance]:
    """Yields a Dagster instance whose storage is Postgres."""
    with server.database(migrated=False) as dsn, tempfile.TemporaryDirectory() as home:
        (Path(home) / "dagster.yaml").write_text(
            f"storage:\n  postgres:\n    postgres_url: {sqlalchemy_url(dsn)}\n"
            "telemetry:\n  enabled: false\n"
        )
        with dg.DagsterInstance.from_config(home) as instance:
            yield instance


if __name__ == "__main__":
    main(sys.argv[1:])
