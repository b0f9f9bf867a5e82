"""Loops in real Dagster: how often the body runs, what each iteration receives, how a loop ends."""

from typing import Any

import pytest

from dagster_pgflow.model.flow import Flow
from tests.execution.harness import run

NOT_TAKEN = "not_taken"


def count(given: Any, ctx: Any) -> dict[str, Any]:
    """Counts on from what the iteration before returned."""
    before = given["good"]["draft"] if "good" in given else {"n": 0}
    return {"n": before["n"] + 1, "iteration": ctx.iteration}


COUNTED = (
    Flow("count")
    .step("start", "echo")
    .step("draft", "count", depends_on="start")
    .step("judge", "echo", depends_on="draft")
    .loop(
        "good",
        back_to="draft",
        condition="output.draft.n < flow_input.enough",
        max_iterations=4,
        break_path="publish",
        timeout_path="give_up",
        depends_on="judge",
    )
    .step("publish", "echo", depends_on="good")
    .step("give_up", "echo", depends_on="good")
    .step("always", "echo", depends_on="good")
    .step("close", "echo", depends_on=["publish", "give_up"])
)
HANDLERS = {"count": count}


def iterations_of(executions: dict[str, int], step: str) -> list[str]:
    return [path for path in executions if path.endswith(f".{step}")]


@pytest.mark.parametrize(
    ("enough", "iterations", "taken", "left"),
    [
        (1, 1, "publish", "give_up"),
        (3, 3, "publish", "give_up"),
        (4, 4, "publish", "give_up"),
        (5, 4, "give_up", "publish"),
    ],
)
def test_the_body_runs_while_the_condition_holds(
    enough: int, iterations: int, taken: str, left: str
) -> None:
    result = run(COUNTED, {"enough": enough}, handlers=HANDLERS)
    assert result.success
    assert len(iterations_of(result.executions, "draft")) == iterations
    last = {"draft": {"n": iterations, "iteration": iterations}}
    assert result.outputs[taken] == result.outputs["always"] == {"good": last}
    assert result.skips == {left: NOT_TAKEN}
    assert set(result.outputs["close"]) == {taken}


def test_a_condition_without_an_answer_ends_the_loop_on_its_break_path() -> None:
    result = run(COUNTED, {}, handlers=HANDLERS)
    assert result.success
    assert iterations_of(result.executions, "draft") == ["good__iteration_1.draft"]
    assert result.skips == {"give_up": NOT_TAKEN}


def test_a_loop_may_begin_with_the_flow_input() -> None:
    flow = (
        Flow("f")
        .step("halve", "halve")
        .loop(
            "until", back_to="halve", condition="output.n > 1", max_iterations=9, depends_on="halve"
        )
        .step("end", "echo", depends_on="until")
    )

    def halve(given: dict[str, Any]) -> dict[str, Any]:
        return {"n": given.get("until", given)["n"] // 2}

    assert run(flow, {"n": 9}, handlers={"halve": halve}).outputs["end"] == {"until": {"n": 1}}


def test_a_loop_around_itself_repeats_its_handler() -> None:
    flow = (
        Flow("f")
        .step("job", "echo")
        .loop(
            "poll",
            handler="ask",
            back_to="poll",
            condition="output < 3",
            max_iterations=5,
            depends_on="job",
        )
        .step("end", "echo", depends_on="poll")
    )
    seen: list[Any] = []

    def ask(given: dict[str, Any]) -> int:
        seen.append(given)
        return int(given.get("poll", 0)) + 1

    result = run(flow, {}, handlers={"ask": ask})
    assert result.outputs["end"] == {"poll": 3}
    assert seen == [{"job": {}}, {"job": {}, "poll": 1}, {"job": {}, "poll": 2}]


def test_every_pass_receives_what_comes_from_outside() -> None:
    flow = (
        Flow("f")
        .step("list", "list")
        .map("each", "echo", depends_on="list")
        .step("before", "echo")
        .step("first", "echo", depends_on=["before", "each"])
        .step("second", "echo", depends_on=["first", "each"])
        .loop(
            "again",
            back_to="first",
            condition="ctx.iteration < 2",
            max_iterations=3,
            depends_on=["second", "before"],
        )
        .step("end", "echo", depends_on="again")
    )
    result = run(flow, {"x": 1}, handlers={"list": lambda _: [1, 2]})
    assert result.success
    [first, second] = [result.outputs[f"again__iteration_{number}.first"] for number in (1, 2)]
    assert first == {"before": {"x": 1}, "each": [1, 2]}
    assert second == {**first, "again": result.outputs["again__iteration_1.again"]}
    assert result.outputs["end"]["again"] == {
        "second": {"first": second, "each": [1, 2]},
        "before": {"x": 1},
    }


def test_maps_subflows_and_branches_may_be_repeated() -> None:
    flow = (
        Flow("f")
        .step("list", "latest")
        .map("grow", "grow", depends_on="list")
        .subflow("sub", "child", depends_on="grow", input={"list": "$nodes.grow"})
        .branch("route", rules=[("output.sum > 9", "big")], default_path="small", depends_on="sub")
        .step("big", "echo", depends_on="route")
        .step("small", "echo", depends_on="route")
        .loop(
            "again",
            handler="next",
            back_to="list",
            condition="size(output) < 4",
            max_iterations=5,
            depends_on=["big", "small", "grow"],
        )
        .step("end", "echo", depends_on="again")
    )
    child = (
        Flow("child")
        .step("list", "pick")
        .map("double", "double", depends_on="list")
        .step("sum", "sum", depends_on="double")
    )
    handlers = {
        "grow": lambda element: element + 1,
        "pick": lambda given: given["list"],
        "double": lambda element: element * 2,
        "sum": lambda given: sum(given["double"]),
        "latest": lambda given: given["again"] if isinstance(given, dict) else given,
        "next": lambda given: [*given["grow"], 0],
    }
    result = run(flow, [1, 2], others=[child], handlers=handlers)
    assert result.success
    assert result.outputs["end"] == {"again": [3, 4, 1, 0]}


def nested(inner_passes: int, outer_passes: int) -> Any:
    flow = (
        Flow("f")
        .step("before", "echo")
        .step("outer_begin", "where", depends_on="before")
        .step("inner_begin", "where", depends_on=["outer_begin", "before"])
        .loop(
            "inner",
            back_to="inner_begin",
            condition=f"ctx.iteration < {inner_passes}",
            max_iterations=3,
            depends_on="inner_begin",
        )
        .loop(
            "outer",
            back_to="outer_begin",
            condition=f"ctx.iteration < {outer_passes}",
            max_iterations=3,
            depends_on="inner",
        )
        .step("end", "echo", depends_on="outer")
    )
    seen: list[tuple[str, int, tuple[str, ...]]] = []

    def where(given: dict[str, Any], ctx: Any) -> str:
        seen.append((ctx.step_path, ctx.iteration, tuple(given)))
        return str(ctx.step_path)

    result = run(flow, {}, handlers={"where": where})
    assert result.success
    return seen, result.outputs["end"]


def test_loops_may_lie_in_loops() -> None:
    seen, end = nested(2, 2)
    again = ("outer_begin", "before", "inner")
    assert seen == [
        ("outer[1].outer_begin", 1, ("before",)),
        ("outer[1].inner[1].inner_begin", 1, ("outer_begin", "before")),
        ("outer[1].inner[2].inner_begin", 2, again),
        ("outer[2].outer_begin", 2, ("before", "outer")),
        ("outer[2].inner[1].inner_begin", 1, ("outer_begin", "before")),
        ("outer[2].inner[2].inner_begin", 2, again),
    ]
    assert end == {"outer": "outer[2].inner[2].inner_begin"}


def test_two_loops_may_begin_with_one_step() -> None:
    flow = (
        Flow("f")
        .step("a", "keys")
        .loop("inner", back_to="a", condition="ctx.iteration < 2", max_iterations=2, depends_on="a")
        .loop(
            "outer",
            back_to="a",
            condition="ctx.iteration < 2",
            max_iterations=2,
            depends_on="inner",
        )
    )
    seen: list[Any] = []

    def keys(given: dict[str, Any]) -> int:
        seen.append(sorted(given))
        return 1

    assert run(flow, {"x": 1}, handlers={"keys": keys}).success
    assert seen == [["x"], ["inner"], ["outer"], ["inner", "outer"]]
