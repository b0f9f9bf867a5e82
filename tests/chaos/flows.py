"""Small flows, one of each kind, and what each must return."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from dagster_pgflow.model.flow import Flow

OPTIONS: Mapping[str, Any] = {
    "max_attempts": 100,
    "base_delay": 1,
    "max_delay": 2,
    "timeout": 60,
    "max_recoveries": 1_000,
}
"""Whatever is killed, and however often: these flows cannot fail by themselves."""

CHILD = (
    Flow("chaos_child", **OPTIONS)
    .step("one", "chaos.double")
    .step("two", "chaos.double_again", depends_on="one")
)


@dataclass(frozen=True)
class Kind:
    """A kind of flow.

    Attributes:
        flow: The flow.
        output: What it must return for an input.
    """

    flow: Flow
    output: Callable[[Mapping[str, int]], Any]


def _listed(slug: str) -> Flow:
    return Flow(slug, **OPTIONS).step("list", "chaos.numbers")


def _numbers(given: Mapping[str, int]) -> list[int]:
    return [given["first"] + index for index in range(given["count"])]


def _over_child(slug: str, **mode: Any) -> Flow:
    return (
        _listed(slug)
        .subflow("each", "chaos_child", depends_on="list", over="list", **mode)
        .step("total", "chaos.total", depends_on="each")
    )


KINDS = (
    Kind(
        _listed("chaos_single").step("total", "chaos.total", depends_on="list"),
        lambda given: {"total": sum(_numbers(given))},
    ),
    Kind(
        _listed("chaos_map")
        .map("double", "chaos.double", depends_on="list", batch_size=2)
        .step("total", "chaos.total", depends_on="double"),
        lambda given: {"total": 2 * sum(_numbers(given))},
    ),
    Kind(
        _listed("chaos_retries")
        .map("shaky", "chaos.shaky", depends_on="list", batch_size=3)
        .step("total", "chaos.total", depends_on="shaky"),
        lambda given: {"total": 2 * sum(_numbers(given))},
    ),
    Kind(_over_child("chaos_subflow"), lambda given: {"total": 4 * sum(_numbers(given))}),
    Kind(
        _over_child("chaos_child_runs", mode="run"),
        lambda given: {"total": 4 * sum(_numbers(given))},
    ),
    Kind(
        Flow("chaos_loop", **OPTIONS)
        .step("grow", "chaos.grow")
        .loop(
            "again",
            back_to="grow",
            condition="output.passes < flow_input.count",
            max_iterations=9,
            break_path="total",
            timeout_path="total",
            depends_on="grow",
        )
        .step("total", "chaos.total", depends_on="again"),
        lambda given: {"total": given["count"]},
    ),
)

ASKS = Kind(
    _listed("chaos_asks")
    .approval("ask", prompt="How much more?", depends_on="list")
    .step("total", "chaos.total", depends_on=["list", "ask"]),
    lambda given: {"total": sum(_numbers(given)) + given["answer"]},
)
"""One that waits for a person."""
