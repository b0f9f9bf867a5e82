"""What a subflow costs as a run of its own, beside the same subflow inside the run."""

import dagster as dg

from dagster_pgflow import Flow, FlowBuilder, build_repository
from dagster_pgflow.names import TAG_TOP_RUN
from dagster_pgflow.store.database import Database
from tests.benchmarks.measure import compare, show
from tests.postgres import Server

SUBFLOWS = 20
RUNS = 5

HANDLERS = {
    "begin": lambda given: given,
    "first": lambda given: given,
    "second": lambda given: [given],
}


def bench_child_runs(server: Server, instance: dg.DagsterInstance) -> None:
    """Prints the time and the Dagster events of one subflow of two steps, in both modes."""
    child = Flow("child").step("first").step("second", depends_on="first")
    inline = Flow("inline").step("begin")
    apart = Flow("apart").step("begin")
    for index in range(SUBFLOWS):
        inline = inline.subflow(f"part{index}", child, depends_on="begin")
        apart = apart.subflow(f"part{index}", child, depends_on="begin", mode="run")
    with server.database() as url:
        database = Database(url)
        FlowBuilder(database).define_flows([child, inline, apart])
        repository = build_repository(database_url=url, handlers=[HANDLERS])
        jobs = {flow.slug: repository.get_job(flow.slug) for flow in (inline, apart)}

        def run(slug: str) -> str:
            result = jobs[slug].execute_in_process(instance=instance)
            assert result.success
            return result.run_id

        # The first run of a job also stores what the job looks like.
        events = {slug: _events(instance, run(slug)) / SUBFLOWS for slug in jobs}
        result = compare("", lambda: run("apart"), lambda: run("inline"), RUNS)
        database.close()
    own, inside = (1000 * seconds / SUBFLOWS for seconds in (result.ours, result.plain))
    show(
        f"One of {SUBFLOWS} subflows of two steps, in process, Dagster storage in Postgres;"
        f" medians of {RUNS} runs",
        ["", "a run of its own", "inline", "ratio", "difference"],
        [
            [
                "time",
                f"{own:.0f} ms",
                f"{inside:.0f} ms",
                f"{own / inside:.1f}",
                f"{own - inside:.0f} ms",
            ],
            [
                "Dagster events",
                f"{events['apart']:.0f}",
                f"{events['inline']:.0f}",
                f"{events['apart'] / events['inline']:.1f}",
                f"{events['apart'] - events['inline']:.0f}",
            ],
        ],
    )


def _events(instance: dg.DagsterInstance, run_id: str) -> int:
    """Returns how many events Dagster holds of a run and of those inside it."""
    inside = instance.get_runs(dg.RunsFilter(tags={TAG_TOP_RUN: run_id}))
    return sum(len(instance.all_logs(run)) for run in [run_id, *(run.run_id for run in inside)])
