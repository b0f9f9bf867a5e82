"""What 200 subruns in one run cost, beside the same steps in one flow."""

import dagster as dg

from dagster_pgflow import Flow, FlowBuilder, build_repository
from dagster_pgflow.store.database import Database
from tests.benchmarks.measure import compare, show
from tests.postgres import Server

SUBRUNS = 200
RUNS = 3

HANDLERS = {
    "begin": lambda given: given,
    "first": lambda given: given,
    "second": lambda given: [given],
}


def bench_subflows(server: Server, instance: dg.DagsterInstance) -> None:
    """Prints the time and the Dagster events of 200 subruns of two steps, and of 400 steps."""
    child = Flow("child").step("first").step("second", depends_on="first")
    nested = Flow("nested").step("begin")
    flat = Flow("flat").step("begin")
    for index in range(SUBRUNS):
        nested = nested.subflow(f"part{index}", child, depends_on="begin")
        flat = flat.step(f"first{index}", "first", depends_on="begin")
        flat = flat.step(f"second{index}", "second", depends_on=f"first{index}")
    with server.database() as url:
        database = Database(url)
        builder = FlowBuilder(database)
        for flow in (child, nested, flat):
            builder.define_flow(flow)
        repository = build_repository(database_url=url, handlers=[HANDLERS])
        jobs = {flow.slug: repository.get_job(flow.slug) for flow in (nested, flat)}
        events: dict[str, int] = {}

        def run(slug: str) -> None:
            result = jobs[slug].execute_in_process(instance=instance)
            assert result.success
            events[slug] = len(result.all_events)

        result = compare("", lambda: run("nested"), lambda: run("flat"), RUNS)
        database.close()
    show(
        f"{SUBRUNS} subruns of two steps in process, Dagster storage in Postgres; medians",
        ["", "200 subruns", "400 steps in one flow", "overhead"],
        [
            ["time", f"{result.ours:.2f} s", f"{result.plain:.2f} s", f"{result.overhead:+.0f} %"],
            [
                "Dagster events",
                str(events["nested"]),
                str(events["flat"]),
                f"{(events['nested'] / events['flat'] - 1) * 100:+.0f} %",
            ],
        ],
    )
