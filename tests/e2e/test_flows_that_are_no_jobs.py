"""Flows that the code location does not list run like all others, each in the version asked for."""

import json
from collections.abc import Callable
from typing import Any

from tests.e2e.conftest import Deployment, begins_with
from tests.polling import poll
from tests.postgres import Session

Finished = Callable[..., dict[str, Any]]

RUN = """
query($id: ID!) { runOrError(runId: $id) { ... on Run {
  status pipelineName solidSelection tags { key value }
  executionPlan { steps { key } }
  repositoryOrigin { repositoryName repositoryLocationName }
} } }
"""
SNAPSHOT = """
query($run: ID!) { pipelineSnapshotOrError: runOrError(runId: $run) {
  ... on Run { pipelineSnapshotId } } }
"""
GRAPH = """
query($id: String!) { pipelineSnapshotOrError(snapshotId: $id) {
  ... on PipelineSnapshot { solids { name } } } }
"""


def begin_flows_without_jobs(deployment: Deployment, _: Session) -> Any:
    sql, gate = deployment.tagged_sql, deployment.folder / "gate of gated"
    sql("select pgflow.create_flow('plain')")
    sql("select pgflow.add_step('plain', 'fetch', handler => 'ai_workflow.fetch')")
    plain = sql.value("""select run_id from pgflow.start_flow('plain', '{"count": 2}')""")
    sql("select pgflow.create_flow('gated')")
    sql("select pgflow.add_step('gated', 'wait', handler => 'wait_for_file', timeout => 400)")
    start = f"""select run_id from pgflow.start_flow('gated', '{{"file": "{gate}"}}')"""
    gated = sql.value(start)
    stopped = sql.value(start)
    # A moment later it is another flow: what was asked for before runs as it was.
    sql("select pgflow.add_step('plain', 'more', array['fetch'], handler => 'nobody')")
    return plain, gated, stopped, gate


@begins_with(begin_flows_without_jobs)
def test_a_flow_that_is_no_job_runs_in_the_version_that_was_asked_for(
    deployment: Deployment, begun: Any, finished: Finished
) -> None:
    sql, dagster, (run_id, *_) = deployment.tagged_sql, deployment.dagster, begun
    run = finished(sql, run_id)

    assert (run["status"], run["output"]) == ("completed", {"fetch": [1, 2]})
    in_dagster = dagster.ask(RUN, id=str(run["dagster_run_id"]))["runOrError"]
    tags = {tag["key"]: tag["value"] for tag in in_dagster["tags"]}
    assert (in_dagster["status"], in_dagster["pipelineName"]) == ("SUCCESS", "plain")
    assert [step["key"] for step in in_dagster["executionPlan"]["steps"]] == ["fetch"]
    assert in_dagster["repositoryOrigin"] == {
        "repositoryName": "tagged",
        "repositoryLocationName": "tagged",
    }
    assert tags["dagster/sensor_name"] == "tagged_requests"
    assert tags["dagster/run_key"] == str(run_id)
    [snapshot] = dagster.ask(SNAPSHOT, run=str(run["dagster_run_id"])).values()
    graph = dagster.ask(GRAPH, id=snapshot["pipelineSnapshotId"])["pipelineSnapshotOrError"]
    assert [node["name"] for node in graph["solids"]] == ["fetch"]
    assert (
        dagster.jobs()["tagged"] == ["tagged__answer", "tagged__start_flow"]
        or "plain" not in (dagster.jobs()["tagged"])
    )


@begins_with(begin_flows_without_jobs)
def test_a_run_of_a_flow_that_is_no_job_is_cancelled_and_goes_on(
    deployment: Deployment, begun: Any, finished: Finished
) -> None:
    sql, (_, gated, stopped, gate) = deployment.tagged_sql, begun
    at_work = "select 1 from pgflow.step_states where run_id = %s and status = 'started'"
    poll(lambda: sql(at_work, stopped))

    result = deployment.call(sql, "cancel", str(stopped))
    assert result.returncode == 0, result.stderr
    assert finished(sql, stopped)["status"] == "cancelled"

    gate.touch()
    assert finished(sql, gated)["status"] == "completed"


def begin_a_flow_without_job_that_fails(deployment: Deployment, _: Session) -> Any:
    sql = deployment.tagged_sql
    sql("select pgflow.create_flow('mended', max_attempts => 1)")
    sql("select pgflow.add_step('mended', 'first', handler => 'ai_workflow.fetch')")
    sql("select pgflow.add_step('mended', 'last', array['first'], handler => 'nobody')")
    return sql.value("""select run_id from pgflow.start_flow('mended', '{"count": 1}')""")


@begins_with(begin_a_flow_without_job_that_fails)
def test_a_failed_run_of_a_flow_that_is_no_job_goes_on_once_it_is_mended(
    deployment: Deployment, begun: Any, finished: Finished
) -> None:
    sql, first = deployment.tagged_sql, begun
    assert finished(sql, first)["status"] == "failed"

    sql("update pgflow.steps set handler = 'ai_workflow.fetch' where step_slug = 'last'")
    result = deployment.call(sql, "retry", str(first)[:8], "--wait", "--timeout", "1500", "--json")

    assert result.returncode == 0, result.stderr
    run = json.loads(result.stdout)
    assert (run["status"], run["retry_of"], run["flow_version"]) == ("completed", str(first), 4)


def begin_a_flow_that_becomes_a_job(deployment: Deployment, _: Session) -> Any:
    sql = deployment.tagged_sql
    sql("select pgflow.create_flow('promoted', tags => %s)", json.dumps({"job": "true"}))
    sql("select pgflow.add_step('promoted', 'fetch', handler => 'ai_workflow.fetch')")


@begins_with(begin_a_flow_that_becomes_a_job)
def test_a_tag_makes_a_flow_a_job_and_its_removal_takes_the_job_away(
    deployment: Deployment, begun: Any, finished: Finished
) -> None:
    sql, dagster = deployment.tagged_sql, deployment.dagster
    poll(lambda: "promoted" in dagster.jobs().get("tagged", ()))
    run_id = sql.value("select run_id from pgflow.start_flow('promoted')")
    assert finished(sql, run_id)["status"] == "completed"

    sql("update pgflow.flows set tags = '{}' where flow_slug = 'promoted'")
    again = sql.value("select run_id from pgflow.start_flow('promoted')")
    poll(lambda: "promoted" not in dagster.jobs().get("tagged", ("promoted",)))
    assert finished(sql, again)["status"] == "completed"
