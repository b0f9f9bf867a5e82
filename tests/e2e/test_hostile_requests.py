"""Inputs that are meant to do harm, thrown into a real Dagster: normal work and its UI go on."""

import json
from collections.abc import Callable
from typing import Any

from tests.e2e.conftest import Deployment, begins_with
from tests.hostile_json import nested
from tests.postgres import Session

Finished = Callable[..., dict[str, Any]]

INPUTS: dict[str, Any] = {
    "keys of Dagster": [
        {"__class__": "SensorTick"},
        {"__enum__": "no dot"},
        {"__set__": [[]]},
        {"dagster-pgflow/skipped": {"reason": "handler_failed", "step": "a", "cascade": True}},
        {"dagster-pgflow/json": "{"},
    ],
    "levels and digits": [nested({"__class__": None}, 97), 10**999, "\u202e\x01"],
    "large": ["x" * 1_000_000, list(range(50_000))],
    "normal": {"n": 1},
}

RUNS = """
{ runsOrError(limit: 100) { __typename ... on Runs { results {
  runId status runConfigYaml tags { key value }
} } } }
"""
LOG = """
query($run: ID!) { logsForRun(runId: $run, limit: 100) { __typename
  ... on EventConnection { events { __typename ... on MessageEvent { message } } } } }
"""


def begin_hostile_requests(_: Deployment, sql: Session) -> dict[str, str]:
    sql("select pgflow.create_flow('hands_on')")
    rules = json.dumps([{"when": "true", "then": ["b"]}])
    for slug in ("a", "c"):
        add = "select pgflow.add_step('hands_on', %s, step_type => 'branch', rules => %s::jsonb)"
        sql(add, slug, rules)
    sql("select pgflow.add_step('hands_on', 'b', array['a', 'c'], step_type => 'join')")
    start = "select run_id::text from pgflow.start_flow('hands_on', %s::jsonb)"
    return {name: sql.value(start, json.dumps(value)) for name, value in INPUTS.items()}


@begins_with(begin_hostile_requests)
def test_hostile_inputs_arrive_and_the_run_list_stays_readable(
    deployment: Deployment, begun: dict[str, str], finished: Finished
) -> None:
    dagster_runs = []
    for name, run_id in begun.items():
        run = finished(deployment.sql, run_id)
        assert (name, run["status"], run["error_message"]) == (name, "completed", None)
        assert (name, run["output"]) == (name, {"b": {"a": INPUTS[name], "c": INPUTS[name]}})
        assert run["input"] == INPUTS[name]
        dagster_runs.append(run["dagster_run_id"])

    listed = deployment.dagster.ask(RUNS)["runsOrError"]
    assert listed["__typename"] == "Runs"
    assert set(dagster_runs) <= {run["runId"] for run in listed["results"]}
    assert max(len(run["runConfigYaml"]) for run in listed["results"]) < 100_000
    for run_id in dagster_runs:
        log = deployment.dagster.ask(LOG, run=run_id)["logsForRun"]
        assert log["__typename"] == "EventConnection"
        assert "RunSuccessEvent" in {event["__typename"] for event in log["events"]}
