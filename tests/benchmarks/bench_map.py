"""What a step costs more than the same step written by hand."""

import dagster as dg

from dagster_pgflow import FlowBuilder, build_repository
from dagster_pgflow.store.database import Database
from tests.benchmarks.flows import mapped_flow
from tests.benchmarks.measure import Comparison, compare, show
from tests.benchmarks.plain_dagster import mapped_job
from tests.postgres import Server

ELEMENTS = 100
STEPS = ELEMENTS + 2
RUNS = 5

HANDLERS = {
    "fetch": lambda _given: list(range(ELEMENTS)),
    "process": lambda number: number * 2,
    "save": lambda given: sum(given["process"]),
}


def bench_map(server: Server, instance: dg.DagsterInstance) -> None:
    """Prints the overhead of a 100-way map, one op an element, run in process."""
    with server.database() as url:
        database = Database(url)
        FlowBuilder(database).define_flow(mapped_flow())
        stored = build_repository(database_url=url, handlers=[HANDLERS]).get_job("mapped")
        by_hand = mapped_job(ELEMENTS)
        result = compare(
            f"{ELEMENTS}-route map",
            lambda: _run(stored, instance),
            lambda: _run(by_hand, instance),
            RUNS,
        )
        database.close()
    show(
        "A 100-way map in process, Dagster storage in Postgres; medians",
        ["", "dagster_pgflow", "plain Dagster", "overhead per step"],
        [_row(result)],
    )


def _run(job: dg.JobDefinition, instance: dg.DagsterInstance) -> None:
    result = job.execute_in_process(instance=instance)
    assert result.output_for_node("save") == sum(range(ELEMENTS)) * 2


def _row(result: Comparison) -> list[str]:
    return [
        result.what,
        f"{result.ours:.2f} s ({result.ours / STEPS * 1000:.0f} ms a step)",
        f"{result.plain:.2f} s ({result.plain / STEPS * 1000:.0f} ms a step)",
        f"{result.overhead:+.0f} %",
    ]
