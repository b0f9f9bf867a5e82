"""A run that waits for the runs inside it ends, also where the queue has no place for another."""

from collections.abc import Callable
from typing import Any

from tests.e2e.conftest import Deployment, begins_with
from tests.e2e.dagster_dev import DagsterDev
from tests.postgres import Session

Finished = Callable[..., dict[str, Any]]

RUNS = """
query($tag: String!, $value: String!) {
  runsOrError(filter: {tags: [{key: $tag, value: $value}]}) {
    ... on Runs { results { runId status startTime endTime tags { key value } } }
  }
}
"""


def runs_tagged(dagster: DagsterDev, tag: str, value: str) -> list[dict[str, Any]]:
    """Returns runs in the order in which they began, each with its tags as a dict."""
    found = dagster.ask(RUNS, tag=tag, value=value)["runsOrError"]["results"]
    runs = [
        {**run, "tags": {tag["key"]: tag["value"] for tag in run["tags"]}}
        for run in found
        if run["startTime"] is not None
    ]
    return sorted(runs, key=lambda run: run["startTime"])


def begin_runs_with_runs_inside(_: Deployment, sql: Session) -> list[str]:
    # dagster.yaml lets one run with this tag be in progress at a time, and all three flows have it.
    sql(
        "select pgflow.create_flow('alone_inmost'), pgflow.create_flow('alone_inner'),"
        " pgflow.create_flow('alone'),"
        " pgflow.add_step('alone_inmost', 'fetch', handler => 'ai_workflow.fetch'),"
        " pgflow.add_step('alone_inner', 'down', step_type => 'subflow',"
        " subflow_slug => 'alone_inmost', mode => 'run'),"
        " pgflow.add_step('alone', 'down', step_type => 'subflow',"
        " subflow_slug => 'alone_inner', mode => 'run')"
    )
    sql(
        """update pgflow.flows set tags = '{"one_at_a_time": "yes"}'"""
        " where flow_slug like 'alone%'"
    )
    start = "select run_id::text from pgflow.start_flow('alone', '{\"count\": 2}')"
    return [sql.value(start) for _ in range(2)]


@begins_with(begin_runs_with_runs_inside)
def test_runs_inside_runs_need_no_place_in_a_queue_that_has_one(
    deployment: Deployment, begun: list[str], finished: Finished
) -> None:
    sql, dagster = deployment.sql, deployment.dagster
    # Runs that wait for each other would wait for ever.
    rows = [finished(sql, run_id) for run_id in begun]
    assert [row["output"] for row in rows] == [{"down": {"down": {"fetch": [1, 2]}}}] * 2
    tops = [row["dagster_run_id"] for row in rows]
    for top in tops:
        inside = runs_tagged(dagster, "dagster-pgflow/top_run_id", top)
        assert [run["tags"]["dagster-pgflow/label"] for run in inside] == [
            "Step down",
            "Step down.down",
        ]
        assert {run["status"] for run in inside} == {"SUCCESS"}
        assert {run["tags"]["pgflow/one_at_a_time"] for run in inside} == {"yes"}
    # The queue did hold the second one back: it began when the first was over.
    first, second = (
        run for run in runs_tagged(dagster, "pgflow/one_at_a_time", "yes") if run["runId"] in tops
    )
    assert {first["status"], second["status"]} == {"SUCCESS"}
    assert first["endTime"] <= second["startTime"]
