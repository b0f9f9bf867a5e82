"""Loops in real Dagster: how often the body runs, what each pass receives, how a loop ends."""

from typing import Any

import pytest

from dagster_pgflow.model.flow import Flow
from tests.execution.harness import run

UNMET, BEHIND = "condition_unmet", "dependency_skipped"


def count(given: Any, ctx: Any) -> dict[str, Any]:
    """Counts on from what the pass before returned."""
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


def passes_of(executions: dict[str, int], step: str) -> list[str]:
    return [path for path in executions if path.endswith(f".{step}")]


@pytest.mark.parametrize(
    ("enough", "passes", "taken", "left"),
    [
        (1, 1, "publish", "give_up"),
        (3, 3, "publish", "give_up"),
        (4, 4, "publish", "give_up"),
        (5, 4, "give_up", "publish"),
    ],
)
def test_the_body_runs_while_the_condition_holds(
    enough: int, passes: int, taken: str, left: str
) -> None:
    result = run(COUNTED, {"enough": enough}, handlers=HANDLERS)
    assert result.success
    assert len(passes_of(result.executions, "draft")) == passes
    last = {"draft": {"n": passes, "iteration": passes}}
    assert result.outputs[taken] == result.outputs["always"] == {"good": last}
    assert result.skips == {left: UNMET}
    assert set(result.outputs["close"]) == {taken}


def test_a_condition_without_an_answer_ends_the_loop_on_its_break_path() -> None:
    result = run(COUNTED, {}, handlers=HANDLERS)
    assert result.success
    assert passes_of(result.executions, "draft") == ["good__pass_1.draft"]
    assert result.skips == {"give_up": UNMET}


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
    [first, second] = [result.outputs[f"again__pass_{number}.first"] for number in (1, 2)]
    assert first == {"before": {"x": 1}, "each": [1, 2]}
    assert second == {**first, "again": result.outputs["again__pass_1.again"]}
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
        "latest": lambda given: given.get("again", given),
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


def failing_in(iteration: int) -> Any:
    def fail(given: Any, ctx: Any) -> Any:
        if ctx.iteration == iteration:
            raise ValueError("no ink")
        return given

    return fail


def test_a_failure_in_a_pass_fails_the_run_and_ends_it() -> None:
    flow = Flow("f", max_attempts=1).step("a", "fail").step("b", "echo", depends_on="a")
    flow = flow.loop("l", back_to="a", condition="true", max_iterations=3, depends_on="b")
    result = run(flow.step("end", "echo", depends_on="l"), {}, handlers={"fail": failing_in(2)})
    assert not result.success
    assert set(result.errors) == {"l__pass_2.a"}
    assert 'step "l[2].a"' in result.error


@pytest.mark.parametrize("iteration", [1, 2])
def test_a_failure_in_a_pass_is_that_of_the_subflow_around_it(iteration: int) -> None:
    child = (
        Flow("child", max_attempts=1)
        .step("a", "fail")
        .step("b", "echo", depends_on="a")
        .loop("l", back_to="a", condition="true", max_iterations=3, depends_on="b")
        .step("after", "echo", depends_on="l")
    )
    flow = (
        Flow("f")
        .subflow("sub", child, on_failure="repair")
        .step("repair", "echo", depends_on="sub")
        .step("goes_on", "echo", depends_on="sub")
    )
    result = run(flow, {}, others=[child], handlers={"fail": failing_in(iteration)})
    assert result.success
    told = result.outputs["repair"]["sub"]
    assert "no ink" in told["error"]
    steps = [entry["step"] for entry in told["child_trace"]]
    assert steps[-1] == f"l[{iteration}].a"
    assert result.skips["goes_on"] == UNMET


def test_a_failure_inside_may_be_caught_inside() -> None:
    child = Flow("child", max_attempts=1).step("try", "break")
    flow = (
        Flow("f")
        .subflow("sub", child, on_failure="repair")
        .step("repair", "echo", depends_on="sub")
        .loop("l", back_to="sub", condition="true", max_iterations=2, depends_on=["sub", "repair"])
    )

    def fail(_: Any) -> None:
        raise ValueError("no")

    result = run(flow, {}, others=[child], handlers={"break": fail})
    assert result.success
    assert len(passes_of(result.executions, "repair")) == 2


def test_where_the_run_does_not_come_by_a_loop_is_skipped_with_all_in_it() -> None:
    flow = (
        Flow("f")
        .branch("route", rules=[("input.go", "a")], default_path="b")
        .step("a", "echo", depends_on="route")
        .step("a2", "echo", depends_on="a")
        .loop("l", back_to="a", condition="true", max_iterations=2, break_path="x", depends_on="a2")
        .step("x", "echo", depends_on="l")
        .step("y", "echo", depends_on="l")
        .step("b", "echo", depends_on="route")
        .step("end", "echo", depends_on=["y", "b"])
    )
    result = run(flow, {"go": False})
    assert result.success
    assert result.outputs["end"] == {"b": {"route": {"go": False}}}
    assert {path: result.skips[path] for path in ("x", "y")} == {"x": BEHIND, "y": BEHIND}
    assert passes_of(result.executions, "a") == ["l__pass_1.a"]
    assert set(run(flow, {"go": True}).outputs["end"]) == {"y"}


def test_a_skip_that_cascades_into_a_loop_cascades_out_of_it() -> None:
    flow = (
        Flow("f")
        .step("a", "echo", if_={"no": 1}, when_unmet="skip-cascade")
        .step("b", "echo", depends_on="a")
        .loop("l", back_to="b", condition="true", max_iterations=2, depends_on="b")
        .step("end", "echo", depends_on="l")
    )
    result = run(flow, {})
    assert result.success
    assert result.skips["end"] == BEHIND


def test_in_a_subflow_that_may_not_run_a_loop_is_skipped() -> None:
    child = (
        Flow("child")
        .step("a", "echo")
        .loop("l", back_to="a", condition="true", max_iterations=2, depends_on="a")
    )
    flow = Flow("f").subflow("sub", child, if_={"no": 1}).step("end", "echo", depends_on="sub")
    result = run(flow, {}, others=[child])
    assert result.success
    assert result.outputs["end"] == {}


def test_flow_input_that_looks_like_a_marker_is_data_in_every_pass() -> None:
    flow = (
        Flow("f")
        .step("a", "one")
        .loop("l", back_to="a", condition="ctx.iteration < 2", max_iterations=2, depends_on="a")
        .step("end", "input", depends_on="l")
    )
    odd = {"dagster-pgflow/skipped": {"x": 1}}
    handlers: Any = {"input": lambda _, ctx: str(ctx.flow_input), "one": lambda _: 1}
    assert run(flow, odd, handlers=handlers).outputs["end"] == str(odd)


def test_attempts_and_delays_are_those_of_any_step() -> None:
    tries: list[str] = []

    def flaky(given: Any, ctx: Any) -> Any:
        tries.append(ctx.idempotency_key.partition(":")[2])
        if len(tries) % 2:
            raise ValueError("try again")
        return given

    flow = (
        Flow("f", max_attempts=2, base_delay=0)
        .step("a", "flaky")
        .loop("l", back_to="a", condition="ctx.iteration < 2", max_iterations=2, depends_on="a")
    )
    assert run(flow, {}, handlers={"flaky": flaky}).success
    assert tries == ["l[1].a:0", "l[1].a:0", "l[2].a:0", "l[2].a:0"]


def test_slugs_that_look_like_passes_are_no_passes() -> None:
    flow = (
        Flow("f")
        .step("l__pass_1", "echo")
        .loop(
            "l",
            back_to="l__pass_1",
            condition="ctx.iteration < 2",
            max_iterations=2,
            depends_on="l__pass_1",
        )
        .step("l__pass_2", "echo", depends_on="l")
        .subflow("s__pass_1", "child", depends_on="l")
        .step("end", "echo", depends_on=["l__pass_2", "s__pass_1"])
    )
    result = run(flow, {"x": 1}, others=[Flow("child").step("end", "echo")])
    assert result.success
    assert set(result.outputs["end"]) == {"l__pass_2", "s__pass_1"}


def test_a_branch_outside_may_lead_into_the_middle_of_a_loop() -> None:
    flow = (
        Flow("f")
        .branch("route", rules=[("input.extra", "extra")], default_path="plain")
        .step("plain", "echo", depends_on="route")
        .step("a", "echo", depends_on="route")
        .step("extra", "echo", depends_on=["a", "route"])
        .loop(
            "l",
            back_to="a",
            condition="ctx.iteration < 2",
            max_iterations=2,
            depends_on=["a", "extra"],
        )
        .step("end", "echo", depends_on="l")
    )
    assert run(flow, {"extra": True}).success
    result = run(flow, {"extra": False})
    assert result.success
    assert result.skips == {"l__pass_1.extra": UNMET, "l__pass_1.l": BEHIND, "end": BEHIND}


def test_values_of_any_size_travel_through_passes() -> None:
    big = "x" * 1_000_000
    flow = (
        Flow("f")
        .step("big", "big")
        .step("a", "echo", depends_on="big")
        .loop("l", back_to="a", condition="ctx.iteration < 3", max_iterations=3, depends_on="a")
        .step("end", "echo", depends_on="l")
    )
    result = run(flow, {}, handlers={"big": lambda _: big})
    assert result.outputs["end"]["l"]["big"] == big
