"""A failed step never keeps a run from ending.

Dagster 1.13 waits for ever for steps behind an op that collects one map and depends on what
stands behind another fan-out, when a failure keeps that fan-out from taking place.
"""

from collections.abc import Callable
from typing import Any

import pytest

from dagster_pgflow.model.flow import Flow
from tests.execution.harness import run

HANDLERS: dict[str, Callable[..., Any]] = {
    "fail": lambda _: 1 / 0,
    "asks": lambda value, ctx: [value, ctx.flow_input],
}
LEAF = Flow("leaf").step("x", "echo")
MAPS = Flow("maps", max_attempts=1).map("m", "echo").step("x", "echo", depends_on="m")
FAILS = (
    Flow("fails", max_attempts=1)
    .step("x", "fail")
    .map("q", "echo", depends_on="x")
    .step("r", "echo", depends_on="q")
)
ASKS = (
    Flow("asks_after", max_attempts=1)
    .step("x", "echo")
    .subflow("k", "fails", depends_on="x")
    .step("d", "asks", depends_on="k")
    .step("e", "echo", depends_on="d")
)
pytestmark = pytest.mark.timeout(60)


def flow() -> Flow:
    return Flow("f", max_attempts=1)


def test_a_step_that_joins_a_map_with_what_stands_behind_a_failed_fan_out() -> None:
    joined = (
        flow()
        .step("a", "fail")
        .map("c", "echo", depends_on="a")
        .step("k", "echo", depends_on="c")
        .map("b", "echo")
        .step("d", "echo", depends_on=["k", "b"])
        .step("e", "echo", depends_on="d")
    )
    result = run(joined, [1, 2], handlers=HANDLERS)
    assert result.statuses == {"a": "failed", "b": "completed"}
    assert "b__collect" in result.helpers


def test_a_step_that_joins_a_failed_map_with_what_stands_behind_the_map_after_it() -> None:
    joined = (
        flow()
        .map("m", "fail")
        .map("n", "echo", depends_on="m")
        .step("s", "echo", depends_on="n")
        .step("d", "echo", depends_on=["m", "s"])
        .step("e", "echo", depends_on="d")
    )
    assert run(joined, [1, 2], handlers=HANDLERS).statuses == {"m": "failed"}


def test_a_step_that_joins_a_map_with_a_subflow_that_fails_before_its_maps() -> None:
    joined = (
        flow()
        .step("a", "fail")
        .subflow("c", "maps", depends_on="a")
        .map("b", "echo")
        .step("d", "echo", depends_on=["a", "c", "b"])
        .step("e", "echo", depends_on="d")
    )
    result = run(joined, [1, 2], others=[MAPS], handlers=HANDLERS)
    assert result.statuses == {"a": "failed", "b": "completed"}


def test_a_subflow_that_joins_a_map_with_what_stands_behind_a_failed_fan_out() -> None:
    joined = (
        flow()
        .step("a", "fail")
        .subflow("c", "maps", depends_on="a")
        .map("b", "echo")
        .subflow("d", "leaf", depends_on=["c", "b"])
    )
    result = run(joined, [1, 2], others=[MAPS, LEAF], handlers=HANDLERS)
    assert result.statuses == {"a": "failed", "b": "completed"}


def test_a_step_that_asks_for_the_input_of_its_subflow_which_is_a_map() -> None:
    joined = flow().map("m", "echo").subflow("s", "asks_after", depends_on="m")
    result = run(joined, [1], others=[ASKS, FAILS], handlers=HANDLERS)
    assert result.statuses == {"m": "completed", "s.x": "completed", "s.k.x": "failed"}


def test_joining_maps_works_as_well_when_nothing_fails() -> None:
    joined = (
        flow()
        .step("list", "echo")
        .map("m", "echo", depends_on="list")
        .map("n", "echo", depends_on="m")
        .step("s", "echo", depends_on="n")
        .step("d", "echo", depends_on=["m", "s", "list"])
        .step("e", "echo", depends_on=["d", "m"])
        .subflow("sub", "leaf", depends_on=["m", "s"])
    )
    result = run(joined, [1, 2], others=[LEAF])
    assert result.outputs["d"] == {"m": [1, 2], "s": {"n": [1, 2]}, "list": [1, 2]}
    assert result.outputs["e"] == {"d": result.outputs["d"], "m": [1, 2]}
    assert result.outputs["sub.x"] == {"m": [1, 2], "s": {"n": [1, 2]}}
    assert sorted(result.helpers) == ["m__collect", "n__fan_out", "sub__input"]


@pytest.mark.parametrize("skipped", [True, False])
def test_a_skipped_map_reaches_the_step_that_joins_it(skipped: bool) -> None:
    joined = (
        flow()
        .map("a", "echo")
        .step("k", "echo", depends_on="a")
        .map("b", "echo", if_={"never": True}, when_unmet="skip-cascade" if skipped else "skip")
        .step("d", "echo", depends_on=["k", "b"])
    )
    result = run(joined, [1])
    assert ("d" in result.skips) is skipped
    assert skipped or result.outputs["d"] == {"k": {"a": [1]}}


def test_no_helper_collects_a_map_that_is_joined_only_with_what_it_comes_from() -> None:
    joined = (
        flow()
        .step("list", "echo")
        .map("m", "echo", depends_on="list")
        .map("n", "echo", depends_on="list")
        .step("s", "echo", depends_on="m")
        .step("d", "echo", depends_on=["list", "m", "n", "s"])
        .step("e", "echo", depends_on="d")
    )
    assert run(joined, [1, 2]).helpers == []
