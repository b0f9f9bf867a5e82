"""Large values and long lists, from the definition to the rows."""

from collections.abc import Callable
from typing import Any

from dagster_pgflow.model.flow import Flow
from tests.execution.projecting import World, world

__all__ = ["world"]

MEGABYTE = 1024 * 1024
LARGEST_BIGINT = 2**63 - 1


def test_values_of_several_megabytes_and_numbers_beyond_any_column_arrive_whole(
    world: World,
) -> None:
    values: dict[str, Any] = {
        "text": "é" * MEGABYTE,
        "numbers": [LARGEST_BIGINT * 10, -LARGEST_BIGINT * 10, 0.1, 1e20],
        "nested": {"a": [{"b": [None, {"c": list(range(50_000))}]}]},
    }
    handlers: dict[str, Callable[..., Any]] = {
        "make": lambda _given: list(values.values()),
        "copy": lambda value: value,
    }
    world.define(Flow("f").step("make").map("copy", depends_on="make", batch_size=2))
    world.run("f", handlers)
    world.settle()
    assert world.one("runs")["output"] == {"copy": list(values.values())}
    assert world.tasks("copy", "output") == list(values.values())
    assert world.by_path("output")["make"] == list(values.values())


def test_ten_thousand_elements_are_ten_thousand_rows_that_add_up(world: World) -> None:
    length = 10_000

    def fail_once_at_every_thousandth(value: int, ctx: Any) -> int:
        if value % 1000 == 7 and ctx.attempt == 1:
            raise ValueError("once")
        return value * 2

    world.define(Flow("f", base_delay=0).step("list").map("double", depends_on="list"))
    world.run(
        "f",
        {"list": lambda _given: list(range(length)), "double": fail_once_at_every_thousandth},
    )
    world.settle()
    assert world.one("runs")["output"] == {"double": [value * 2 for value in range(length)]}
    assert world.tasks("double", "(output)::int") == [value * 2 for value in range(length)]
    assert set(world.tasks("double", "status")) == {"completed"}
    attempts = world.sql.column(
        "select count(*) from pgflow.node_executions where step_path = 'double'"
    )
    assert attempts == [length + length // 1000]
