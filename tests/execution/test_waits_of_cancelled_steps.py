"""A step that is cancelled while its run goes on asks nobody any more, and fails nothing."""

from typing import Any

import psycopg2
import pytest

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.store.continuations import Continuations
from tests.execution.projecting import Handlers, World, assert_states_add_up, world
from tests.execution.projecting_waits import answer, go_on

__all__ = ["world"]


def refuse(_: Any) -> None:
    raise ValueError("no money")


ORDER = (
    Flow("order")
    .step("look", "look")
    .step("pay", "refuse", max_attempts=1)
    .approval("ask", prompt="Pay again?", depends_on="look")
    .step("pack", "echo", depends_on="ask")
)
SHOP = (
    Flow("shop")
    .subflow("order", "order", on_failure="sorry")
    .step("sorry", "echo", depends_on="order")
    .approval("boss", prompt="Well?")
)
SAME: Handlers = {"echo": lambda given: given, "look": lambda given: given, "refuse": refuse}


def waits(world: World) -> dict[str, str]:
    return dict(world.sql("select step_path, status from pgflow.waits"))


def asked(world: World) -> list[str]:
    return world.sql.column("select step_path from pgflow.v_open_waits")


def begin(world: World, handlers: Handlers = SAME) -> None:
    world.define(ORDER, SHOP)
    world.run("shop", handlers)
    world.project()
    assert world.one("runs")["status"] == "waiting"
    assert world.by_path("status")["order.ask"] == "cancelled"


def test_what_a_cancelled_step_asked_is_no_question_any_more(world: World) -> None:
    begin(world)
    assert waits(world) == {"order.ask": "cancelled", "boss": "open"}
    assert asked(world) == ["boss"]
    with pytest.raises(psycopg2.Error, match=r"order\.ask"):
        answer(world, "order.ask")


def test_its_end_has_nobody_go_on_with_the_run(world: World) -> None:
    begin(world)
    assert world.database.run(Continuations(world.database).next) is None


def test_the_run_goes_on_without_it_and_completes(world: World) -> None:
    begin(world)
    answer(world, "boss")
    go_on(world, "shop", SAME)
    world.project()
    run = world.one("runs")
    assert (run["status"], run["error_message"]) == ("completed", None)
    assert world.by_path("status")["order.ask"] == "cancelled"
    assert world.by_path("status")["order.pack"] == "cancelled"
    assert_states_add_up(world)


def test_one_that_would_begin_to_wait_only_then_asks_nobody(world: World) -> None:
    order = Flow("order").step("pay", "refuse", max_attempts=1).approval("ask", prompt="Again?")
    world.define(order.approval("sure", prompt="Sure?", depends_on="ask"), SHOP)
    world.run("shop", SAME)
    # Before anybody has read what failed.
    [run_id] = world.sql.column("select run_id from pgflow.waits where step_path = 'order.ask'")
    world.sql("select pgflow.answer(%s, 'order.ask', 'true', 'ann')", run_id)
    world.project()
    go_on(world, "shop", SAME)
    world.project()
    assert waits(world) == {"order.ask": "answered", "order.sure": "cancelled", "boss": "open"}
    answer(world, "boss")
    go_on(world, "shop", SAME)
    world.project()
    assert world.one("runs")["status"] == "completed"


def test_a_signal_that_comes_then_is_kept_for_who_waits_next(world: World) -> None:
    order = (
        Flow("order").step("pay", "refuse", max_attempts=1).wait("ask", signal="paid", key="'mine'")
    )
    world.define(order, SHOP)
    world.run("shop", SAME)
    world.project()
    assert world.sql.value("select pgflow.signal('paid', 'mine', '1')") == 0
    assert waits(world)["order.ask"] == "cancelled"
