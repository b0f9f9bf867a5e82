"""What a hundred trivial steps cost in the processor: how outputs travel, prints and events go."""

import logging
import os
import resource
import statistics
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import dagster as dg

from dagster_pgflow import Flow, FlowBuilder, build_repository
from dagster_pgflow.compute_logs import silence_console, use_plain_compute_logs
from dagster_pgflow.compute_logs.compat import creation_of_runs, default_system_loggers
from dagster_pgflow.dagster_storage import buffered_instance
from dagster_pgflow.io_manager import PgflowIOManager
from dagster_pgflow.store.database import Database
from dagster_pgflow.store.outputs import OutputStore
from tests.benchmarks.flows import mapped_flow
from tests.benchmarks.measure import show
from tests.postgres import Server

STEPS: Final = 100
RUNS: Final = 3
HANDLERS: Final = {
    "one": lambda _given: 1,
    "fetch": lambda _given: list(range(STEPS)),
    "process": lambda number: number * 2,
    "save": lambda given: sum(given["process"]),
}


class OneByOne(PgflowIOManager):
    """Stores each output by itself, and asks for each input."""

    def announce(self, *_what: Any) -> None:
        pass


def bench_steps(server: Server, instance: dg.DagsterInstance) -> None:
    """Prints the processor seconds of a chain and of a map, of this process and those it starts."""
    with server.database() as url:
        database = Database(url)
        flows = (chain_flow(), mapped_flow())
        FlowBuilder(database).define_flows(list(flows))
        one_by_one = OneByOne(OutputStore(database), memory_bytes=0)
        before = build_repository(database_url=url, handlers=[HANDLERS], io_manager=one_by_one)
        now = build_repository(database_url=url, handlers=[HANDLERS])
        jobs = {flow.slug: (before.get_job(flow.slug), now.get_job(flow.slug)) for flow in flows}
        logging.disable(logging.NOTSET)
        with _silent_standard_error():
            rows = _measured(jobs, instance)
        logging.disable(logging.CRITICAL)
        database.close()
    show(
        f"Processor seconds of {STEPS} trivial steps in process, Dagster storage in Postgres;"
        f" medians of {RUNS} runs, ratios to the first",
        ["", "each output by itself", "from memory, together", "no log processes", "and batches"],
        rows,
    )


def chain_flow() -> Flow:
    """Returns so many steps in a row."""
    flow = Flow("chain").step("s0", "one")
    for index in range(1, STEPS):
        flow = flow.step(f"s{index}", "one", depends_on=f"s{index - 1}")
    return flow


def _measured(
    jobs: dict[str, tuple[dg.JobDefinition, dg.JobDefinition]], instance: dg.DagsterInstance
) -> list[list[str]]:
    """Returns a row of the table for each flow; the ways are taken in turns."""
    figures: dict[str, list[list[float]]] = {slug: [[], [], [], []] for slug in jobs}
    plain = dg.DagsterInstance.from_ref(instance.get_ref())
    batches = dg.DagsterInstance.from_ref(instance.get_ref())
    use_plain_compute_logs(plain)
    use_plain_compute_logs(batches)
    buffered_instance(batches)
    for slug, (before, now) in jobs.items():
        ways: list[Callable[[], float]] = [
            lambda job=before: _seconds(job, instance),  # type: ignore[misc]
            lambda job=now: _seconds(job, instance),  # type: ignore[misc]
            lambda job=now: _seconds(job, plain, silent=True),  # type: ignore[misc]
            lambda job=now: _seconds(job, batches, silent=True),  # type: ignore[misc]
        ]
        for turn in range(RUNS + 1):
            for figure, way in zip(figures[slug], ways, strict=True):
                # The first run of a job also stores what the job looks like.
                figure.extend([way()] if turn else [way()][:0])
    plain.dispose()
    batches.dispose()
    return [_row(slug, [statistics.median(way) for way in ways]) for slug, ways in figures.items()]


def _seconds(job: dg.JobDefinition, instance: dg.DagsterInstance, *, silent: bool = False) -> float:
    if silent:
        silence_console()
    begun_at = _processor_seconds()
    assert job.execute_in_process(instance=instance).success
    spent = _processor_seconds() - begun_at
    vars(creation_of_runs)["default_system_loggers"] = default_system_loggers
    return spent


def _processor_seconds() -> float:
    both = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in both)


@contextmanager
def _silent_standard_error() -> Iterator[None]:
    """Lets nobody see what Dagster writes of each event, which costs what it costs."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _row(slug: str, medians: list[float]) -> list[str]:
    first = medians[0]
    return [slug, *(f"{median:.2f} ({median / first:.2f})" for median in medians)]
