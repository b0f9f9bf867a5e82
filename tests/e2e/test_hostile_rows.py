"""Rows that are meant to do harm, thrown into a real Dagster: everything else goes on.

The other tests of this package run in the same store, beside them.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import psycopg2
import pytest

from tests.e2e.conftest import Deployment, begins_with
from tests.e2e.dagster_dev import DagsterDev
from tests.polling import poll
from tests.postgres import Session

Finished = Callable[..., dict[str, Any]]

DEEP = "[" * 600 + "]" * 600
CLASS = '{"__class__": "SensorTick"}'

REFUSED = {
    "nested 600 deep": DEEP,
    "a number of 5,001 digits": '{"x": 1e5000}',
}
"""Inputs that `start_flow` refuses."""

ROWS = {
    "a request nested 600 deep": (
        "insert into pgflow.run_requests (run_id, flow_slug, version_id, input)"
        f" values (gen_random_uuid(), 'calm', 1, '{DEEP}')"
    ),
    "a request of a number that Python does not read": (
        "insert into pgflow.run_requests (run_id, flow_slug, version_id, input)"
        " values (gen_random_uuid(), 'calm', 1, '1e5000')"
    ),
    "a request for a flow that there never was": (
        "insert into pgflow.run_requests (run_id, flow_slug, version_id, input)"
        f" values (gen_random_uuid(), 'nowhere', 1, '{CLASS}')"
    ),
    "a request for a version that comes in the year 300,000": (
        "insert into pgflow.run_requests (run_id, flow_slug, version_id, input)"
        " values (gen_random_uuid(), 'calm', 9223372036854775807, '{}')"
    ),
    "params nested 600 deep": f"update pgflow.steps set params = '{{\"x\": {DEEP}}}'",
    "params with a number of 5,001 digits": "update pgflow.steps set params = '{\"x\": 1e5000}'",
    "a default that Dagster would take for a tick": (
        f"update pgflow.flows set input_schema = '{{\"default\": {CLASS}}}'"
    ),
    "a container image of the author's choice": (
        """update pgflow.flows set tags = '{"dagster-k8s/config": "{}", "a b": "<b>"}'"""
    ),
    "a cron that never comes": (
        "insert into pgflow.schedules (flow_slug, schedule_slug, cron)"
        " values ('SLUG', 'never', '0 0 31 2 *')"
    ),
    "a time zone that nobody knows": (
        "insert into pgflow.schedules (flow_slug, schedule_slug, cron, timezone)"
        " values ('SLUG', 'never', '0 0 1 * *', 'Middle/Earth')"
    ),
    "a definition that is none": (
        "insert into pgflow.flow_versions (flow_slug, version, definition, content_hash)"
        """ values ('SLUG', 9, '{"slug": "SLUG", "steps": 5, "schedules": [[1]]}', 'x')"""
    ),
}
"""What somebody writes into the tables, in each case for a flow of its own."""

TICKS = """
query($sensor: String!) {
  sensorOrError(sensorSelector: {
    sensorName: $sensor, repositoryName: "pgflow", repositoryLocationName: "pgflow"
  }) { ... on Sensor { sensorState { ticks(limit: 50) { status error { message } } } } }
}
"""


def begin_normal_work_beside_hostile_rows(_: Deployment, sql: Session) -> Any:
    sql("select pgflow.create_flow('calm')")
    sql(
        "select pgflow.add_step('calm', 'answer', handler => 'pgflow.transform',"
        """ params => '{"expression": "\\"done\\""}')"""
    )
    for number, statement in enumerate(ROWS.values()):
        slug = f"hostile_{number}"
        sql("select pgflow.create_flow(%s)", slug)
        sql("select pgflow.add_step(%s, 'answer')", slug)
        where = f" where flow_slug = '{slug}'" if statement.startswith("update") else ""
        with suppress(psycopg2.Error):
            sql(statement.replace("SLUG", slug) + where)
    return _start(sql, "{}")


def _start(sql: Session, input: str) -> Any:
    return sql.value("select run_id from pgflow.start_flow('calm', %s)", input)


@begins_with(begin_normal_work_beside_hostile_rows)
def test_normal_work_goes_on_beside_hostile_rows(
    deployment: Deployment, begun: Any, finished: Finished
) -> None:
    run = finished(deployment.sql, begun)
    assert (run["status"], run["output"]) == ("completed", {"answer": "done"})


@begins_with(begin_normal_work_beside_hostile_rows)
def test_an_input_beyond_the_limits_is_refused_at_once(deployment: Deployment, begun: Any) -> None:
    for input in REFUSED.values():
        with pytest.raises(psycopg2.Error, match='The input of flow "calm" is refused: it '):
            _start(deployment.sql, input)


@begins_with(begin_normal_work_beside_hostile_rows)
def test_dagster_has_a_job_for_each_flow_and_no_tick_that_failed(
    deployment: Deployment, begun: Any, finished: Finished
) -> None:
    finished(deployment.sql, begun)
    dagster = deployment.dagster

    poll(lambda: {f"hostile_{n}" for n in range(len(ROWS))} <= _jobs(dagster))
    for sensor in ("pgflow_requests", "pgflow_catalog", "pgflow_projection", "pgflow_stuck_runs"):
        ticks = dagster.ask(TICKS, sensor=sensor)["sensorOrError"]["sensorState"]["ticks"]
        assert ticks, sensor
        assert [tick["error"] for tick in ticks if tick["status"] == "FAILURE"] == [], sensor


def _jobs(dagster: DagsterDev) -> set[str]:
    return {job for jobs in dagster.jobs().values() for job in jobs}
