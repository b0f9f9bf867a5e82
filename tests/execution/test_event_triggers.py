"""Flows that start each other: ends of real runs, looked at by the sensors."""

from collections.abc import Callable

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.names import TAG_TRIGGER
from dagster_pgflow.store.triggers import Triggers
from tests.execution.projecting import world
from tests.execution.triggered import HANDLERS, Deployment, deployed, runs, triggers
from tests.postgres import Session

__all__ = ["deployed", "triggers", "world"]


def test_a_run_starts_the_next_and_its_failure_starts_another(
    deployed: Callable[..., Deployment], triggers: Triggers, sql: Session
) -> None:
    here = deployed(
        Flow("order").step("charge", handler="same"),
        Flow("report").step("write", handler="fails"),
        Flow("alarm").step("ring", handler="same"),
    )
    triggers.create(
        "report_orders",
        "run.completed",
        "report",
        source_flow="order",
        condition="event.output.charge.sum > 10",
        input={"sum": "$event.output.charge.sum"},
    )
    triggers.create("on_failure", "run.failed", "alarm", input={"why": "$event.error"})
    here.world.run("order", HANDLERS, {"sum": 5})
    here.world.run("order", HANDLERS, {"sum": 50})
    here.settle()
    *orders, report, alarm = runs(sql)
    assert [(slug, status) for slug, status, _ in orders] == [("order", "completed")] * 2
    assert report == ("report", "failed", {"sum": 50})
    assert alarm[:2] == ("alarm", "completed")
    assert "no \ufffd luck" in alarm[2]["why"]
    assert [tags[TAG_TRIGGER] for tags in here.tags] == ["report_orders", "on_failure"]
    found = sql("select trigger_name, outcome from pgflow.trigger_outcomes order by event_id")
    assert sorted(found) == [
        ("on_failure", "fired"),
        ("report_orders", "fired"),
        ("report_orders", "not_met"),
    ]


def test_rebuilding_the_tables_starts_nothing_again(
    deployed: Callable[..., Deployment], triggers: Triggers, sql: Session
) -> None:
    here = deployed(Flow("a").step("s", handler="same"), Flow("b").step("s", handler="same"))
    here.world.run("a", HANDLERS, {"n": 1})
    here.settle()
    triggers.create("t", "run.completed", "b", source_flow="a")
    here.world.run("a", HANDLERS, {"n": 2})
    here.settle()
    before = runs(sql)
    assert [slug for slug, _, _ in before] == ["a", "a", "b"]
    here.world.look_again()
    here.settle()
    assert runs(sql) == before


def test_a_large_output_is_handed_on_whole(
    deployed: Callable[..., Deployment], triggers: Triggers, sql: Session
) -> None:
    here = deployed(Flow("a").step("s", handler="large"), Flow("b").step("s", handler="same"))
    triggers.create("t", "run.completed", "b", source_flow="a", input="$event.output.s")
    here.world.run("a", HANDLERS)
    here.settle()
    assert sql("select status, length(output #>> '{s,text}') from pgflow.runs order by id") == [
        ("completed", 10_000_000),
        ("completed", 10_000_000),
    ]


def test_a_run_that_asks_starts_a_flow_that_tells_somebody(
    deployed: Callable[..., Deployment], triggers: Triggers, sql: Session
) -> None:
    here = deployed(
        Flow("expense").approval("ask", prompt="May ${$input.name} spend it?"),
        Flow("mail").step("send", handler="same"),
    )
    triggers.create(
        "tell",
        "step.waiting",
        "mail",
        input={"text": "$event.prompt", "run": "$event.run_id", "step": "$event.step"},
    )
    asking = here.world.run("expense", HANDLERS, {"name": "Ann"})
    here.world.project()
    assert [asked.job_name for asked in here.tick("requests").run_requests] == ["mail"]
    told = {"text": "May Ann spend it?", "run": str(asking), "step": "ask"}
    assert runs(sql) == [("expense", "waiting", {"name": "Ann"}), ("mail", "queued", told)]


def test_a_chain_of_signals_counts_the_runs_whose_handlers_send_them(
    deployed: Callable[..., Deployment], triggers: Triggers, sql: Session
) -> None:
    here = deployed(Flow("count").step("s", handler="counts_on"))
    triggers.create("t", "signal", "count", signal_name="next", condition="event.payload.n < 4")
    first = here.world.run("count", HANDLERS, {"n": 1})
    here.settle()
    depths = "select trigger_depth from pgflow.run_requests order by created_at"
    assert sql.column(depths) == [1, 2]
    senders = sql.column("select sent_from::text from pgflow.signals order by signal_id")
    asked = sql.column("select run_id::text from pgflow.run_requests order by created_at")
    assert senders == [str(first), *asked]
