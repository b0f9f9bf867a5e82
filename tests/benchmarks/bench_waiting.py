"""How soon who waits for a run has its output, from the commit that ends it."""

import asyncio
import statistics
import threading
import time
from collections.abc import Callable
from typing import Final
from uuid import UUID

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.store.database import Database
from dagster_pgflow.store.flows import FlowBuilder
from dagster_pgflow.store.requests import Requests
from tests.benchmarks.measure import show
from tests.postgres import Server, Session

RUNS: Final = 40
END: Final = "update pgflow.runs set status = 'completed', output = '{\"a\": 1}' where run_id = %s"


def bench_waiting(server: Server) -> None:
    """Prints the time between the commit and the return, for each way to wait."""
    with server.database() as url:
        database, sql, waiting = Database(url), Session(url), Session(url)
        FlowBuilder(database).define_flow(Flow("f").step("a"))
        requests = Requests(database)
        ways: dict[str, Callable[[UUID], object]] = {
            "Requests.wait_for": requests.wait_for,
            "Requests.wait_for_async": lambda run_id: asyncio.run(requests.wait_for_async(run_id)),
            "pgflow.wait_for": lambda run_id: waiting(
                "select output from pgflow.wait_for(%s)", str(run_id)
            ),
        }
        for wait in ways.values():
            _delay(sql, requests.start("f"), wait)
        delays: dict[str, list[float]] = {way: [] for way in ways}
        for _ in range(RUNS):
            for way, wait in ways.items():
                delays[way].append(_delay(sql, requests.start("f"), wait))
        waiting.close()
        sql.close()
        database.close()
    rows = [
        [way, *(f"{1_000 * figure:.1f}" for figure in (statistics.median(taken), max(taken)))]
        for way, taken in delays.items()
    ]
    show("From the commit that ends a run to the return, ms", ["", "median", "worst"], rows)


def _delay(sql: Session, run_id: UUID, wait: Callable[[UUID], object]) -> float:
    returned_at: list[float] = []

    def waits() -> None:
        wait(run_id)
        returned_at.append(time.perf_counter())

    waiter = threading.Thread(target=waits)
    waiter.start()
    time.sleep(0.1)  # So that it waits when the run ends; what is measured begins later.
    sql(END, str(run_id))
    committed_at = time.perf_counter()
    waiter.join()
    return returned_at[0] - committed_at
