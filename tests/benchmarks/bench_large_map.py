"""How quick a map over a long list is, whose batches nobody has chosen."""

import dagster as dg

from dagster_pgflow import Flow, FlowBuilder, build_repository
from dagster_pgflow.store.database import Database
from tests.benchmarks.measure import Comparison, compare, show
from tests.benchmarks.plain_dagster import mapped_job
from tests.postgres import Server

RUNS = {1_000: 3, 10_000: 1}
"""How often each length is timed; plain Dagster takes minutes for the longest."""

HANDLERS = {
    "fetch": lambda length: list(range(length)),
    "process": lambda number: number * 2,
    "save": lambda given: sum(given["process"]),
}


def bench_large_map(server: Server, instance: dg.DagsterInstance) -> None:
    """Prints tasks per second, and what an element of a ten times longer list costs."""
    flow = Flow("mapped").step("fetch").map("process", depends_on="fetch")
    with server.database() as url:
        database = Database(url)
        FlowBuilder(database).define_flow(flow.step("save", depends_on="process"))
        stored = build_repository(database_url=url, handlers=[HANDLERS]).get_job("mapped")
        found = {length: _compare(stored, instance, length) for length in RUNS}
        database.close()
    show(
        "A map over a long list in process, Dagster storage in Postgres",
        ["elements", "runs", "dagster_pgflow", "plain Dagster, an op an element", "times faster"],
        [_row(length, result) for length, result in found.items()],
    )
    short, long = (found[length].ours / length for length in RUNS)
    print(f"An element of the longer list costs {long / short:.2f} times one of the shorter.")


def _compare(stored: dg.JobDefinition, instance: dg.DagsterInstance, length: int) -> Comparison:
    by_hand = mapped_job(length)
    config = {"inputs": {"flow_input": length}}
    return compare(
        f"{length:,}",
        lambda: _check(stored.execute_in_process(config, instance=instance), length),
        lambda: _check(by_hand.execute_in_process(instance=instance), length),
        RUNS[length],
    )


def _check(result: dg.ExecuteInProcessResult, length: int) -> None:
    assert result.output_for_node("save") == sum(range(length)) * 2


def _row(length: int, result: Comparison) -> list[str]:
    return [
        result.what,
        str(RUNS[length]),
        f"{result.ours:.2f} s ({length / result.ours:,.0f} tasks/s)",
        f"{result.plain:.2f} s ({length / result.plain:,.0f} tasks/s)",
        f"{result.plain / result.ours:.0f}",
    ]
