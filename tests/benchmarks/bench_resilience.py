"""What a call of a handler costs past each guard, and how many calls one key bears at once."""

import statistics
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from dagster_pgflow.model.guards import GUARDS, GuardName
from dagster_pgflow.resources import StoreOfSteps
from dagster_pgflow.runtime.guarded import guarded
from dagster_pgflow.runtime.guards import GuardedCall
from dagster_pgflow.store.database import Database
from tests.benchmarks.measure import show
from tests.postgres import Server

CALLS: Final = 400
THREADS: Final = 8
ENOUGH: Final[dict[str, Any]] = {"max_concurrent": 1_000, "calls": 1_000_000}
PAST: Final[Sequence[tuple[GuardName, ...]]] = (
    ("rate_limiter",),
    ("bulkhead",),
    ("circuit_breaker",),
    ("rate_limiter", "bulkhead", "circuit_breaker"),
)


def bench_resilience(server: Server) -> None:
    """Prints what a call costs that does nothing, alone and beside others of the same key."""
    rows = []
    for names in PAST:
        with server.database() as url:
            database = Database(url, pool_size=THREADS)
            resource = StoreOfSteps(database)
            _call(resource, names)
            times = [_timed(resource, names) for _ in range(CALLS)]
            begun_at = time.perf_counter()
            with ThreadPoolExecutor(THREADS) as pool:
                list(pool.map(lambda _: _call(resource, names), range(CALLS)))  # noqa: B023
            at_once = CALLS / (time.perf_counter() - begun_at)
            database.close()
        rows.append(
            [
                ", ".join(name.replace("_", " ") for name in names),
                f"{statistics.median(times) * 1000:.2f} ms",
                f"{1 / statistics.median(times):,.0f}",
                f"{at_once:,.0f}",
            ]
        )
    show(
        f"What guards add to a call; a step without guards asks nobody ({CALLS} calls, medians)",
        ["past a", "a call", "calls in a second", f"of {THREADS} threads, one key"],
        rows,
    )


def _timed(resource: StoreOfSteps, names: Sequence[GuardName]) -> float:
    begun_at = time.perf_counter()
    _call(resource, names)
    return time.perf_counter() - begun_at


def _call(resource: StoreOfSteps, names: Sequence[GuardName]) -> None:
    guards: dict[str, Any] = {}
    for name in names:
        numbers = GUARDS[name]().model_dump() | {"key": "k"}
        guards[name] = numbers | {key: ENOUGH[key] for key in ENOUGH if key in numbers}
    call = GuardedCall("", guards, "a benchmark")
    guarded(resource, call, "A benchmark", lambda: None)
