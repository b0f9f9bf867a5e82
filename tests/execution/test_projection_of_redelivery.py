"""Events that Dagster delivers twice, or in another order, change nothing."""

import random
from typing import Any

import dagster as dg
import pytest

from dagster_pgflow.model.flow import Flow
from tests.execution.projecting import World, assert_log_is_sound, world

__all__ = ["world"]

INNER = Flow("inner").step("x").map("m", handler="double", depends_on="x")
TOP = (
    Flow("top")
    .step("numbers", max_attempts=2, base_delay=0)
    .subflow("s", "inner", depends_on="numbers", over="numbers")
    .step("skipped", handler="end", depends_on="numbers", if_={"numbers": [9]})
    .step("end", depends_on=["s", "skipped"])
)


def handlers() -> dict[str, Any]:
    calls: list[int] = []

    def numbers(_given: Any) -> list[int]:
        calls.append(1)
        if len(calls) == 1:
            raise ValueError("once")
        return [1, 2]

    return {
        "numbers": numbers,
        "x": lambda number: [number, number],
        "double": lambda number: number * 2,
        "end": lambda _given: "done",
    }


def redelivered(instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    """Has the instance hand out every event twice, in any order."""
    read = instance.get_records_for_run
    order = random.Random(seed)

    def garbled(*args: Any, **more: Any) -> Any:
        page = read(*args, **more)
        records = [*page.records, *page.records]
        order.shuffle(records)
        return page._replace(records=records)

    monkeypatch.setattr(instance, "get_records_for_run", garbled)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_event_twice_and_in_any_order_gives_the_same_rows(
    world: World, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    world.define(INNER, TOP)
    run_id = world.run("top", handlers())
    world.settle()
    assert world.one("runs")["status"] == "completed"
    before = world.snapshot()
    redelivered(world.instance, monkeypatch, seed)
    world.look_again()
    assert world.snapshot() == before
    world.sql("truncate pgflow.runs, pgflow.event_log, pgflow.run_cursors cascade")
    world.settle()
    anew = world.snapshot()
    assert without_numbers(anew) == without_numbers(before)
    assert_log_is_sound(world, run_id)


def without_numbers(snapshot: dict[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    """Returns rows without what the tables number by themselves."""
    numbers = {"id", "subrun_id", "parent_run_id", "parent_subrun_id"}
    return {
        table: [{name: row[name] for name in row.keys() - numbers} for row in rows]
        for table, rows in snapshot.items()
    }


def test_a_change_of_the_counter_that_is_applied_again_changes_nothing(world: World) -> None:
    world.define(INNER, TOP)
    world.run("top", handlers())
    world.settle()
    before = world.sql("select * from pgflow.applied_keys order by op_key")
    world.sql(
        "insert into pgflow.applied_keys"
        " select run_id, op_key, delta, applied_at, sequence_num from pgflow.applied_keys"
        " on conflict do nothing"
    )
    assert world.sql("select * from pgflow.applied_keys order by op_key") == before
    assert world.sql.value("select sum(delta) from pgflow.applied_keys") == 0
