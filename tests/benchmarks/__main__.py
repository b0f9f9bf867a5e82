"""Runs the benchmarks, all or those that are named: `python -m tests.benchmarks map`."""

import argparse
import logging
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import dagster as dg

from tests.benchmarks.bench_answers import bench_answers
from tests.benchmarks.bench_child_runs import bench_child_runs
from tests.benchmarks.bench_claims import bench_claims
from tests.benchmarks.bench_documents import bench_documents
from tests.benchmarks.bench_events import bench_events
from tests.benchmarks.bench_expressions import bench_expressions
from tests.benchmarks.bench_jobs import bench_jobs
from tests.benchmarks.bench_large_map import bench_large_map
from tests.benchmarks.bench_live import bench_live
from tests.benchmarks.bench_loading import bench_loading
from tests.benchmarks.bench_manifests import bench_manifests
from tests.benchmarks.bench_map import bench_map
from tests.benchmarks.bench_peers import bench_peers
from tests.benchmarks.bench_projection import bench_projection
from tests.benchmarks.bench_resilience import bench_resilience
from tests.benchmarks.bench_steps import bench_steps
from tests.benchmarks.bench_subflows import bench_subflows
from tests.benchmarks.bench_waiting import bench_waiting
from tests.postgres import Server, running_server, sqlalchemy_url

ALONE: Final[Mapping[str, Callable[[], None]]] = {
    "documents": bench_documents,
    "expressions": bench_expressions,
    "manifests": bench_manifests,
}
WITH_POSTGRES: Final[Mapping[str, Callable[[Server], None]]] = {
    "events": bench_events,
    "loading": bench_loading,
    "jobs": bench_jobs,
    "claims": bench_claims,
    "waiting": bench_waiting,
    "resilience": bench_resilience,
    "live": bench_live,
    "answers": bench_answers,
}
WITH_DAGSTER: Final[Mapping[str, Callable[[Server, dg.DagsterInstance], None]]] = {
    "map": bench_map,
    "steps": bench_steps,
    "subflows": bench_subflows,
    "child_runs": bench_child_runs,
    "large_map": bench_large_map,
    "projection": bench_projection,
    "peers": bench_peers,
}
NAMES: Final = (*ALONE, *WITH_POSTGRES, *WITH_DAGSTER)


def main(names: Sequence[str]) -> None:
    """Runs some benchmarks, on a PostgreSQL of their own where they need one.

    Args:
        names: What they are called.
    """
    logging.disable(logging.CRITICAL)
    for name in names:
        if name in ALONE:
            ALONE[name]()
    if ALONE.keys() >= set(names):
        return
    with (
        tempfile.TemporaryDirectory(prefix="pgflow-bench-") as folder,
        running_server(Path(folder) / "data") as address,
    ):
        server = Server(address)
        for name in names:
            if name in WITH_POSTGRES:
                WITH_POSTGRES[name](server)
            elif name in WITH_DAGSTER:
                with _instance(server) as instance:
                    WITH_DAGSTER[name](server, instance)
        server.close()


def names_in(arguments: Sequence[str] | None = None) -> Sequence[str]:
    """Returns the benchmarks that a command line names, or all of them."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("name", nargs="*", help=f"any of: {', '.join(NAMES)}; without one, all")
    given: list[str] = parser.parse_args(arguments).name
    unknown = [name for name in given if name not in NAMES]
    if unknown:
        parser.error(f"There is no benchmark {unknown[0]!r}; use any of: {', '.join(NAMES)}.")
    return given or NAMES


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
    main(names_in())
