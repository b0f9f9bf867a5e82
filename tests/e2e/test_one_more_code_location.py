"""The product as one code location among others in an existing deployment."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.e2e.conftest import RUN_S, Deployment, begins_with
from tests.polling import poll
from tests.postgres import Session

Finished = Callable[..., dict[str, Any]]

FETCH = "handler => 'ai_workflow.fetch'"


def begin_a_foreign_run(deployment: Deployment, sql: Session) -> Any:
    sql("select pgflow.create_flow('ours')")
    sql(f"select pgflow.add_step('ours', 'fetch', {FETCH})")
    return deployment.dagster.launch("foreign_job", "foreign", "__repository__", {})


@begins_with(begin_a_foreign_run)
def test_runs_of_a_foreign_location_do_not_appear_in_our_tables(
    deployment: Deployment, begun: Any, finished: Finished
) -> None:
    sql, dagster, foreign = deployment.sql, deployment.dagster, begun
    poll(lambda: dagster.run_status(foreign) == "SUCCESS")
    # A run of ours that ends later shows that the projection has passed the foreign one.
    run_id = sql.value("select run_id from pgflow.start_flow('ours')")
    assert finished(sql, run_id)["status"] == "completed"

    for session in (deployment.sql, deployment.parallel_sql):
        dagster_runs = session.column("select dagster_run_id::text from pgflow.runs")
        assert foreign not in dagster_runs


def begin_a_flow_of_one_name_in_both_stores(deployment: Deployment, _: Session) -> Any:
    for sql in (deployment.sql, deployment.parallel_sql):
        sql("select pgflow.create_flow('twin')")
        sql(f"select pgflow.add_step('twin', 'fetch', {FETCH})")
    start = "select run_id from pgflow.start_flow('twin')"
    return deployment.sql.value(start), deployment.parallel_sql.value(start)


@begins_with(begin_a_flow_of_one_name_in_both_stores)
def test_two_stores_in_one_dagster_keep_their_runs_apart(
    deployment: Deployment, begun: Any, finished: Finished
) -> None:
    mine, other = begun
    assert finished(deployment.sql, mine)["status"] == "completed"
    assert finished(deployment.parallel_sql, other)["status"] == "completed"

    query = "select run_id::text from pgflow.runs where flow_slug = 'twin'"
    assert deployment.sql.column(query) == [mine]
    assert deployment.parallel_sql.column(query) == [other]


def begin_a_flow_that_nothing_starts(_: Deployment, sql: Session) -> None:
    sql("select pgflow.create_flow('by_hand')")
    sql(f"select pgflow.add_step('by_hand', 'fetch', {FETCH})")


@begins_with(begin_a_flow_that_nothing_starts)
def test_a_run_from_the_launchpad_appears_too(deployment: Deployment, finished: Finished) -> None:
    sql, dagster = deployment.sql, deployment.dagster
    poll(lambda: "by_hand" in dagster.jobs().get("pgflow", ()))

    run_id = dagster.launch("by_hand", "pgflow", "pgflow", {"inputs": {"flow_input": {"count": 2}}})

    poll(lambda: sql("select 1 from pgflow.runs where run_id = %s", run_id))
    run = finished(sql, run_id)
    assert (run["status"], run["input"], run["output"]) == (
        "completed",
        {"count": 2},
        {"fetch": [1, 2]},
    )


def begin_a_flow_with_an_example(_: Deployment, sql: Session) -> None:
    schema = """{"type": "object", "properties": {
        "env": {"type": "string", "enum": ["prod", "staging"]},
        "count": {"type": "integer", "default": 3}
    }}"""
    sql("select pgflow.create_flow('shown', input_schema => %s)", schema)
    sql(f"select pgflow.add_step('shown', 'fetch', {FETCH})")


@begins_with(begin_a_flow_with_an_example)
def test_a_launch_without_config_runs_on_the_defaults_and_a_wrong_type_does_not_run(
    deployment: Deployment, finished: Finished
) -> None:
    sql, dagster = deployment.sql, deployment.dagster
    poll(lambda: "shown" in dagster.jobs().get("pgflow", ()))

    run_id = dagster.launch("shown", "pgflow", "pgflow", {})
    wrong = {"inputs": {"flow_input": {"env": "produ"}}}
    with pytest.raises(AssertionError, match="RunConfigValidationInvalid"):
        dagster.launch("shown", "pgflow", "pgflow", wrong)

    poll(lambda: sql("select 1 from pgflow.runs where run_id = %s", run_id))
    run = finished(sql, run_id)
    assert (run["status"], run["input"]) == ("completed", {"count": 3})
    assert run["output"] == {"fetch": [1, 2, 3]}


def begin_a_schedule(_: Deployment, sql: Session) -> None:
    sql("select pgflow.create_flow('scheduled')")
    sql(f"select pgflow.add_step('scheduled', 'fetch', {FETCH})")
    sql(
        "insert into pgflow.schedules (flow_slug, schedule_slug, cron, input)"
        """ values ('scheduled', 'some_minutes', %s, '{"count": 2}')""",
        soon(),
    )


def soon() -> str:
    """Returns a schedule of few of the next minutes: each run is one that the others wait for."""
    now = datetime.now(UTC)
    minutes = [(now + timedelta(minutes=later)).minute for later in (2, 4, 8, 16)]
    return f"{','.join(map(str, minutes))} * * * *"


@begins_with(begin_a_schedule)
def test_a_cron_row_starts_runs(deployment: Deployment, finished: Finished) -> None:
    sql = deployment.sql
    begun = "select run_id from pgflow.runs where flow_slug = 'scheduled' order by id limit 1"
    poll(lambda: sql(begun), timeout=RUN_S, every=0.2)
    run = finished(sql, sql.value(begun))
    assert (run["status"], run["output"]) == ("completed", {"fetch": [1, 2]})
