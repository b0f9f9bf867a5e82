"""How many events a second the projection gets through, beside what Dagster needs to write them."""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch
from uuid import UUID, uuid4

import dagster as dg

from dagster_pgflow import Flow, FlowBuilder, build_repository
from dagster_pgflow.projection.sync.discovery import discover
from dagster_pgflow.projection.sync.projector import Projector, pins_of
from dagster_pgflow.projection.sync.store import ProjectionStore
from dagster_pgflow.store.catalog import Catalog
from dagster_pgflow.store.database import Database
from dagster_pgflow.store.outputs import OutputStore
from dagster_pgflow.store.run_tables import RunTables
from tests.benchmarks.measure import median_seconds, seconds, show
from tests.postgres import Server

GROUPS = 20
ARMS = 8
ELEMENTS = 2_000
LOOKS = 7

HANDLERS = {
    "work": lambda _given: 1,
    "fetch": lambda _given: list(range(ELEMENTS)),
    "process": lambda number: number,
}


def bench_projection(server: Server, instance: dg.DagsterInstance) -> None:
    """Prints what Dagster needs to write the events of a run, and the projection for its rows.

    The flows are one of many steps and one with a long map step.
    """
    rows = [_row(server, instance, flow) for flow in (_forks(), _map())]
    show(
        f"The events of one run: Dagster writes them, the projection reads, folds and writes its"
        f" rows; medians of {LOOKS}",
        ["flow", "run", "Dagster writes", "projection writes", "events/s", "as fast", "look again"],
        rows,
    )


def _row(server: Server, instance: dg.DagsterInstance, flow: Flow) -> list[str]:
    run_id = uuid4()
    with server.database() as url:
        database = Database(url)
        FlowBuilder(database).define_flow(flow)
        job = build_repository(database_url=url, handlers=[HANDLERS]).get_job(flow.slug)
        with _timed_writes(instance) as writes:
            took = seconds(lambda: job.execute_in_process(instance=instance, run_id=str(run_id)))
        measured = _measured(instance, database, run_id, sum(writes))
        database.close()
    return [flow.slug, f"{took:.1f} s", *measured]


@contextmanager
def _timed_writes(instance: dg.DagsterInstance) -> Iterator[list[float]]:
    """Yields the seconds that Dagster's event log takes for each event that it writes."""
    storage = instance.event_log_storage
    writes: list[float] = []
    write = storage.store_event

    def timed(event: dg.EventLogEntry) -> None:
        writes.append(seconds(lambda: write(event)))

    with patch.object(storage, "store_event", timed):
        yield writes


def _forks() -> Flow:
    flow = Flow("forks").step("j0", handler="work")
    for group in range(1, GROUPS + 1):
        arms = [f"a{group}_{arm}" for arm in range(ARMS)]
        for arm in arms:
            flow = flow.step(arm, handler="work", depends_on=f"j{group - 1}")
        flow = flow.step(f"j{group}", handler="work", depends_on=arms)
    return flow


def _map() -> Flow:
    flow = Flow("long_map").step("fetch").map("process", depends_on="fetch")
    return flow.step("end", handler="work", depends_on="process")


def _measured(
    instance: dg.DagsterInstance, database: Database, run_id: UUID, writing: float
) -> list[str]:
    tables = RunTables(database)
    store = ProjectionStore(Catalog(database), OutputStore(database), tables)
    pins = pins_of(store)
    discover(instance, store)

    def look(*, rewrite: bool) -> None:
        with database.transaction() as transaction:
            transaction.run_script(
                "update pgflow.run_cursors set position = null, is_final = false, due_at = now()"
            )
        result = Projector(instance, store, pins, rewrite=rewrite).look_at_due_runs(float("inf"))
        assert (result.written, result.problems) == (1, [])

    def begin_anew() -> None:
        with database.transaction() as transaction:
            transaction.run_script("delete from pgflow.runs; delete from pgflow.event_log")

    def first_look() -> float:
        begin_anew()
        return seconds(lambda: look(rewrite=False))

    first = sorted(first_look() for _ in range(LOOKS))[LOOKS // 2]
    again = median_seconds(lambda: look(rewrite=False), LOOKS)
    theirs = len(instance.all_logs(str(run_id)))
    ours = len(tables.events(run_id))
    return [
        f"{theirs:,} events in {writing:.1f} s",
        f"{ours:,} events in {first:.2f} s",
        f"{theirs / writing:,.0f} and {ours / first:,.0f}",
        f"{writing / first:.1f} times",
        f"{again * 1000:.0f} ms",
    ]
