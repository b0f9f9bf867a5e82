"""triggers: what starts flows, and what it last did."""

import json

import pytest

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.store.database import Database
from dagster_pgflow.store.flows import FlowBuilder
from dagster_pgflow.store.trigger_queue import TriggerQueue
from dagster_pgflow.store.triggers import Triggers
from tests.postgres import Session
from tests.unit.cli.conftest import Cli


@pytest.fixture
def triggers(database: Database, builder: FlowBuilder) -> Triggers:
    for slug in ("order", "report", "other"):
        builder.define_flow(Flow(slug).step("s"))
    triggers = Triggers(database)
    triggers.create(
        "daily", "run.completed", "report", source_flow="order", condition="event.x > 1"
    )
    triggers.create("alarm", "run.failed", "other", input={"why": "$event.error"})
    return triggers


def test_triggers_are_listed_with_what_they_last_made_of_an_event(
    cli: Cli, triggers: Triggers, database: Database, sql: Session
) -> None:
    run_id = sql.value("select run_id from pgflow.start_flow('order')")
    sql("update pgflow.runs set status = 'completed' where run_id = %s", run_id)
    assert "order completed" in cli("triggers").stdout
    TriggerQueue(database).look()
    shown = cli("triggers")
    assert 'daily: The condition `event.x > 1` has no answer: there is no key "x"' in shown.stderr
    assert "any other flow failed" in shown.stdout
    found = json.loads(cli("triggers", "--json").stdout)
    assert [(one["name"], one["enabled"], one["last_outcome"]) for one in found] == [
        ("alarm", True, None),
        ("daily", True, "failed"),
    ]


def test_a_trigger_is_turned_off_and_on(cli: Cli, triggers: Triggers) -> None:
    def on() -> list[str]:
        return [one.trigger.name for one in triggers.list() if one.trigger.enabled]

    assert cli("triggers", "--disable", "alarm", "--disable", "daily").exit_code == 0
    assert on() == []
    assert cli("triggers", "--enable", "daily").exit_code == 0
    assert on() == ["daily"]
    refused = cli("triggers", "--enable", "nope")
    assert (refused.exit_code, 'There is no trigger "nope"' in refused.stderr) == (1, True)


def test_what_is_wrong_with_a_trigger_of_sql_is_told(
    cli: Cli, triggers: Triggers, sql: Session
) -> None:
    assert triggers.list()[0].problems == ()
    sql(
        "update pgflow.triggers set condition = 'input.x', input = '\"$nodes.a\"'"
        " where name = 'daily'"
    )
    told = cli("triggers").stderr
    assert "daily: condition: " in told
    assert "[invalid-expression]" in told
    assert "[invalid-reference]" in told


def test_a_flow_is_shown_with_the_triggers_that_lead_to_it_and_from_it(
    cli: Cli, triggers: Triggers
) -> None:
    assert triggers.list("order") == triggers.list("report")
    assert "daily" in cli("show", "order").stdout
    assert "daily" in cli("show", "report").stdout
    assert "alarm" in cli("show", "other").stdout
    assert "daily" not in cli("show", "other").stdout


def test_without_triggers_there_is_advice(cli: Cli) -> None:
    assert "pgflow.create_trigger" in cli("triggers").stdout
