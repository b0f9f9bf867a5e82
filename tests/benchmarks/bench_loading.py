"""How long it takes to load a code location, by the number of stored flows."""

import dagster as dg

from dagster_pgflow import FlowBuilder, build_repository
from dagster_pgflow.store.catalog import Catalog
from dagster_pgflow.store.database import Database
from tests.benchmarks.flows import ten_step_flow
from tests.benchmarks.measure import compare, median_seconds, show
from tests.benchmarks.plain_dagster import ten_step_job
from tests.postgres import Server
from tests.run_worker import pinned_to

FLOW_COUNTS = (10, 100, 1000)
RUNS = 3


def bench_loading(server: Server) -> None:
    """Prints one line for each number of flows."""
    rows = [_row(server, count) for count in FLOW_COUNTS]
    show(
        "Loading flows of ten steps; medians, against the same jobs written by hand",
        ["flows", "read definitions", "code server", "plain Dagster", "overhead", "run worker"],
        rows,
    )


def _row(server: Server, count: int) -> list[str]:
    with server.database() as url:
        database = Database(url)
        builder = FlowBuilder(database)
        for index in range(count):
            builder.define_flow(ten_step_flow(f"flow_{index}"))
        catalog = Catalog(database)
        watermark = catalog.watermark()
        reading = median_seconds(lambda: catalog.flows(watermark), RUNS)
        loading = compare("load", lambda: _load_stored(url), lambda: _load_plain(count), RUNS)
        worker = median_seconds(lambda: _load_in_run_worker(url, watermark), RUNS)
        database.close()
    return [
        str(count),
        f"{reading * 1000:.0f} ms",
        f"{loading.ours:.2f} s",
        f"{loading.plain:.2f} s",
        f"{loading.overhead:+.0f} %",
        f"{worker * 1000:.0f} ms",
    ]


def _load_stored(url: str) -> None:
    _snapshots(build_repository(database_url=url))


def _load_plain(count: int) -> None:
    jobs = [ten_step_job(f"flow_{index}") for index in range(count)]
    _snapshots(dg.Definitions(jobs=jobs).get_repository_def())


def _snapshots(repository: dg.RepositoryDefinition) -> None:
    """Makes what a code server hands to the webserver and the daemon."""
    for job in repository.get_all_jobs():
        job.get_job_snapshot_id()


def _load_in_run_worker(url: str, watermark: int) -> None:
    with pinned_to(watermark):
        build_repository(database_url=url).get_job("flow_7").get_job_snapshot()
