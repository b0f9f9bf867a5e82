"""The code location, with the rights of a worker and no more.

The tests of the projection, of the sensors and of `dagster dev` run with them, too.
"""

import re
from collections.abc import Iterator

import dagster as dg
import pytest

from dagster_pgflow import Flow, FlowBuilder, build_repository
from dagster_pgflow.store.requests import Requests
from tests.docs.pages import ROOT
from tests.postgres import Session, as_role

OF_THE_OWNER = {("insert", "migrations")}


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def test_a_code_location_loads_runs_and_ticks_with_the_rights_of_a_worker(
    database_url: str,
    builder: FlowBuilder,
    requests: Requests,
    sql: Session,
    instance: dg.DagsterInstance,
) -> None:
    builder.define_flow(Flow("f").step("a").schedule("daily", "0 0 * * *"))
    run_id = requests.start("f", {})
    repository = build_repository(
        handlers=[{"a": lambda given: given}],
        database_url=as_role(database_url, "worker"),
        allowed_tags=["team/*"],
    )
    assert [job.name for job in repository.get_all_jobs()] == [
        "f",
        "pgflow__answer",
        "pgflow__start_flow",
    ]
    assert [schedule.name for schedule in repository.schedule_defs] == ["f__daily"]
    assert sql.value("select allowed_tags from pgflow.store") == ["team/*"]

    for name in (
        "pgflow_catalog",
        "pgflow_asset_events",
        "pgflow_projection",
        "pgflow_stuck_runs",
        "pgflow_requests",
    ):
        context = dg.build_sensor_context(instance=instance, repository_def=repository)
        tick = repository.get_sensor_def(name).evaluate_tick(context)
    [request] = tick.run_requests or ()
    assert request.run_key == str(run_id)
    repository.get_job("f").execute_in_process(
        instance=instance, run_config=request.run_config, tags=request.tags
    )
    for _look in range(2):
        context = dg.build_sensor_context(instance=instance, repository_def=repository)
        repository.get_sensor_def("pgflow_projection").evaluate_tick(context)
        sql("update pgflow.run_cursors set due_at = now()")
    assert sql("select run_id::text, status from pgflow.runs") == [(str(run_id), "completed")]


def test_a_worker_has_each_right_that_our_queries_need_and_no_other(sql: Session) -> None:
    needed: set[tuple[str, str]] = set()
    for path in (ROOT / "dagster_pgflow" / "store").glob("*.sql"):
        for statement in path.read_text().split(";"):
            for verb, table in re.findall(
                r"\b(insert into|update|delete from) pgflow\.(\w+)", statement
            ):
                needed.add((verb.split()[0], table))
                if verb == "insert into" and "do update" in statement:
                    needed.add(("update", table))
    granted = {
        (re.sub(r" \(.*", "", privilege), table)
        for table, privileges in sql(
            "select name, privileges from pgflow.role_rights()"
            " where role = 'worker' and kind = 'table' and privileges <> 'select'"
        )
        for privilege in re.split(r", (?![^(]*\))", privileges)
    }
    # What functions do that are no more than their caller: refuse_run, enter_call, leave_call,
    # note_delivery.
    needed |= {("update", "run_requests"), ("delete", "guarded_calls")}
    needed |= {("update", "webhook_deliveries")}
    guards = ("circuit_breakers", "bulkheads", "rate_limiters", "guarded_calls")
    needed |= {(verb, table) for verb in ("insert", "update") for table in guards}
    # open_wait, claim_continuation and what they are made of.
    needed |= {(verb, "waits") for verb in ("insert", "update")} | {("insert", "run_continuations")}
    needed |= {(verb, "signals") for verb in ("insert", "update", "delete")}
    assert granted == needed - OF_THE_OWNER
