"""What a run costs with Dagster's events in batches, and with dagster-postgres as it comes."""

import gc
import statistics
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import dagster as dg

from tests.benchmarks.measure import show
from tests.benchmarks.plain_dagster import mapped_job
from tests.event_storage.deployments import OURS, PLAIN, deployment
from tests.postgres import Server

STEPS = 100
RUNS = 5

Cost = tuple[float, float]
"""Seconds by the clock, and of CPU in this process."""


def bench_events(server: Server) -> None:
    """Prints what a chain and a map of plain Dagster cost with either storage."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        plain, ours = (
            stack.enter_context(deployment(server, folder / name, storage)).instance
            for name, storage in (("plain", PLAIN), ("ours", OURS))
        )
        rows = [
            _row(what, *_costs(job, plain, ours))
            for what, job in (
                (f"chain of {STEPS} ops", _chain()),
                (f"map of {STEPS}, one op an element", mapped_job(STEPS)),
            )
        ]
    show(
        "Dagster's events in batches; medians of runs in turns",
        ["", "dagster-postgres", "BufferedPostgresStorage", "times faster", "times less CPU"],
        rows,
    )


def _chain() -> dg.JobDefinition:
    def step(index: int) -> dg.OpDefinition:
        @dg.op(name=f"s{index}")
        def work(number: int) -> int:
            return number + 1

        return work

    @dg.op
    def begin() -> int:
        return 0

    @dg.job(executor_def=dg.in_process_executor)
    def chain() -> None:
        number = begin()
        for index in range(1, STEPS):
            number = step(index)(number)

    return chain


def _costs(
    job: dg.JobDefinition, plain: dg.DagsterInstance, ours: dg.DagsterInstance
) -> tuple[Cost, Cost]:
    for instance in (plain, ours):
        _cost(job, instance)
    pairs = [(_cost(job, plain), _cost(job, ours)) for _ in range(RUNS)]
    return _median([pair[0] for pair in pairs]), _median([pair[1] for pair in pairs])


def _cost(job: dg.JobDefinition, instance: dg.DagsterInstance) -> Cost:
    gc.collect()
    begun, computed = time.perf_counter(), time.process_time()
    result = job.execute_in_process(instance=instance)
    # Whoever looks into the log finds all of it, and that is part of the price.
    last = instance.get_records_for_run(result.run_id, limit=1, ascending=False).records[0]
    assert last.event_log_entry.dagster_event_type is dg.DagsterEventType.RUN_SUCCESS
    return time.perf_counter() - begun, time.process_time() - computed


def _median(costs: Sequence[Cost]) -> Cost:
    return statistics.median(c[0] for c in costs), statistics.median(c[1] for c in costs)


def _row(what: str, plain: Cost, ours: Cost) -> list[str]:
    return [
        what,
        f"{plain[0]:.2f} s, CPU {plain[1]:.2f} s",
        f"{ours[0]:.2f} s, CPU {ours[1]:.2f} s",
        f"{plain[0] / ours[0]:.1f}",
        f"{plain[1] / ours[1]:.1f}",
    ]
