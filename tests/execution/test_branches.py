"""Branches and joins in real Dagster: which routes a run takes, and what meets where."""

from typing import Any

import pytest

from dagster_pgflow.model.flow import Flow
from tests.execution.harness import gives, run

UNMET, BEHIND, NOT_TAKEN = "condition_unmet", "dependency_skipped", "not_taken"
CLAIM = (
    Flow("claim")
    .step("assess", "echo")
    .branch(
        "route",
        rules=[
            ("output.score > 80", ["pay", "thank"]),
            ("output.score > 40", "review"),
        ],
        default_path="refuse",
        depends_on="assess",
    )
    .step("pay", "echo", depends_on="route")
    .step("thank", "echo", depends_on="route")
    .step("review", "echo", depends_on="route")
    .step("refuse", "echo", depends_on="route")
    .step("audit", "echo", depends_on="route")
    .step("close", "echo", depends_on=["pay", "review", "refuse"])
)


@pytest.mark.parametrize(
    ("score", "taken", "closed_by"),
    [
        (90, {"pay", "thank"}, "pay"),
        (50, {"review"}, "review"),
        (10, {"refuse"}, "refuse"),
    ],
)
def test_the_first_rule_that_holds_takes_all_its_targets(
    score: int, taken: set[str], closed_by: str
) -> None:
    result = run(CLAIM, {"score": score})
    assert result.success
    routes = {"pay", "thank", "review", "refuse"}
    assert result.skips == dict.fromkeys(routes - taken, NOT_TAKEN)
    assert set(result.outputs["close"]) == {closed_by}
    assert result.outputs["audit"] == {"route": {"score": score}}
    assert all(result.outputs[slug] == {"route": {"score": score}} for slug in taken)


def test_a_rule_without_an_answer_is_skipped() -> None:
    result = run(CLAIM, {"points": 90})
    assert result.skips == dict.fromkeys(("pay", "thank", "review"), NOT_TAKEN)


def test_rules_are_answered_beside_an_integer_that_cel_does_not_have() -> None:
    result = run(CLAIM, {"score": 90, "serial": 2**70})
    assert result.outputs["pay"] == {"route": {"score": 90, "serial": 2**70}}


def test_a_path_may_end() -> None:
    flow = (
        Flow("f")
        .branch("route", rules=[("flow_input.go", "a")])
        .step("a", "echo", depends_on="route")
        .step("b", "echo", depends_on="a")
    )
    result = run(flow, {"go": False})
    assert result.success
    assert result.skips == {"a": NOT_TAKEN, "b": NOT_TAKEN}


def test_three_ways_and_two_that_meet() -> None:
    """What two ways lead to is skipped when the third one is taken."""
    flow = (
        Flow("f")
        .branch("route", rules=[("input.n == 1", "a"), ("input.n == 2", "b")], default_path="c")
        .step("a", "echo", depends_on="route")
        .step("b", "echo", depends_on="route")
        .step("c", "echo", depends_on="route")
        .step("ab", "echo", depends_on=["a", "b"])
        .step("abc", "echo", depends_on=["ab", "c"])
    )
    assert set(run(flow, {"n": 2}).outputs["abc"]) == {"ab"}
    result = run(flow, {"n": 3})
    assert result.skips == {"a": NOT_TAKEN, "b": NOT_TAKEN, "ab": NOT_TAKEN}
    assert set(result.outputs["abc"]) == {"c"}


def test_a_way_may_lead_straight_to_where_another_one_arrives() -> None:
    flow = (
        Flow("f")
        .branch("valid", rules=[("input.ok", "publish")], default_path="fix")
        .step("fix", "echo", depends_on="valid")
        .step("publish", "echo", depends_on=["valid", "fix"])
    )
    assert set(run(flow, {"ok": True}).outputs["publish"]) == {"valid"}
    assert set(run(flow, {"ok": False}).outputs["publish"]) == {"fix"}


def nested(outer: int, inner: int) -> Any:
    flow = (
        Flow("f")
        .branch("one", rules=[("input.outer == 1", "a")], default_path="b")
        .step("a", "echo", depends_on="one")
        .branch(
            "two",
            rules=[("flow_input.inner == 1", "x"), ("flow_input.inner == 2", "y")],
            depends_on="a",
        )
        .step("x", "echo", depends_on="two")
        .step("y", "echo", depends_on="two")
        .step("b", "echo", depends_on="one")
        .step("end", "echo", depends_on=["x", "y", "b"])
        .step("other", "echo")
        .step("last", "echo", depends_on=["end", "other"])
    )
    return run(flow, {"outer": outer, "inner": inner})


@pytest.mark.parametrize(
    ("outer", "inner", "arrives"), [(1, 1, "x"), (1, 2, "y"), (2, 1, "b"), (2, 3, "b")]
)
def test_nested_branches_meet_in_one_step(outer: int, inner: int, arrives: str) -> None:
    result = nested(outer, inner)
    assert set(result.outputs["end"]) == {arrives}
    assert set(result.outputs["last"]) == {"end", "other"}


def test_where_an_inner_branch_leads_nowhere_the_path_ends() -> None:
    result = nested(1, 3)
    assert result.success
    assert result.skips == {
        "x": NOT_TAKEN,
        "y": NOT_TAKEN,
        "b": NOT_TAKEN,
        "end": NOT_TAKEN,
        "last": NOT_TAKEN,
    }


def test_maps_and_subflows_can_be_targets() -> None:
    child = Flow("child").step("end", "echo")
    flow = (
        Flow("f")
        .branch("route", handler="echo", rules=[("size(output) > 2", "each")], default_path="sub")
        .map("each", "echo", depends_on="route")
        .subflow("sub", child, depends_on="route")
        .step("after", "echo", depends_on=["each", "sub"])
    )
    result = run(flow, [1, 2, 3], others=[child])
    assert result.outputs["after"] == {"each": [1, 2, 3]}
    result = run(flow, [1], others=[child])
    assert result.outputs["after"] == {"sub": {"end": {"route": [1]}}}


def test_a_handler_decides_with_what_it_returns() -> None:
    flow = (
        Flow("f")
        .branch(
            "route",
            **gives({"route": "b"}),
            rules=[("output.route == 'a'", "a"), ("output.route == 'b'", "b")],
        )
        .step("a", "echo", depends_on="route")
        .step("b", "echo", depends_on="route")
    )
    result = run(flow, {})
    assert result.outputs["b"] == {"route": {"route": "b"}}
    assert result.skips == {"a": NOT_TAKEN}


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"if_": {"no": 1}}, UNMET),
        ({"handler": "break", "when_exhausted": "skip"}, "handler_failed"),
    ],
)
def test_a_skipped_branch_takes_no_way(settings: dict[str, Any], reason: str) -> None:
    def fail(_: Any) -> None:
        raise ValueError("no")

    flow = (
        Flow("f", max_attempts=1)
        .branch("route", rules=[("true", "a")], default_path="b", **settings)
        .step("a", "echo", depends_on="route")
        .step("b", "echo", depends_on="route")
        .step("always", "echo", depends_on="route")
        .step("end", "echo", depends_on=["a", "b"])
    )
    result = run(flow, {}, handlers={"break": fail})
    assert result.success
    assert result.skips == {"route": reason, "a": BEHIND, "b": BEHIND, "end": BEHIND}
    assert result.outputs["always"] == {}


def test_a_branch_that_cascades_skips_all_behind_it() -> None:
    flow = (
        Flow("f")
        .branch("route", rules=[("true", "a")], if_={"no": 1}, when_unmet="skip-cascade")
        .step("a", "echo", depends_on="route")
        .step("always", "echo", depends_on="route")
    )
    assert run(flow, {}).skips == {"route": UNMET, "a": BEHIND, "always": BEHIND}


def test_branches_inside_a_mapped_subflow_and_inside_a_skipped_one() -> None:
    child = (
        Flow("child")
        .branch("route", rules=[("input.n > 1", "big")], default_path="small")
        .step("big", "echo", depends_on="route")
        .step("small", "echo", depends_on="route")
        .step("end", "echo", depends_on=["big", "small"])
    )
    flow = (
        Flow("f")
        .step("list", "echo")
        .subflow("each", child, over="list", depends_on="list")
        .step("after", "echo", depends_on="each")
    )
    result = run(flow, [{"n": 1}, {"n": 2}], others=[child])
    ends = [one["end"] for one in result.outputs["after"]["each"]]
    assert ends == [{"small": {"route": {"n": 1}}}, {"big": {"route": {"n": 2}}}]
    unmet = Flow("f").subflow("sub", child, if_={"no": 1}).step("after", "echo", depends_on="sub")
    result = run(unmet, {"n": 1}, others=[child])
    assert result.outputs["after"] == {}


def test_a_failure_inside_a_branch_fails_the_run_and_ends_it() -> None:
    def fail(_: Any) -> None:
        raise ValueError("no")

    flow = (
        Flow("f", max_attempts=1)
        .branch("route", rules=[("true", "a")], default_path="b")
        .step("a", "break", depends_on="route")
        .step("b", "echo", depends_on="route")
        .step("end", "echo", depends_on=["a", "b"])
    )
    result = run(flow, {}, handlers={"break": fail})
    assert not result.success
    assert set(result.errors) == {"a"}


JOINED = (
    Flow("f")
    .step("a", "echo", if_={"a": 1})
    .step("b", "echo", if_={"b": 1}, when_unmet="skip-cascade")
    .step("c", "echo", if_={"c": 1})
)


@pytest.mark.parametrize(
    ("wait", "given", "met"),
    [
        ("any", {"b": 1}, {"b"}),
        ("any", {"a": 1, "c": 1}, {"a", "c"}),
        ("any", {}, None),
        (2, {"a": 1, "c": 1}, {"a", "c"}),
        (2, {"a": 1}, None),
        ("all", {"a": 1, "b": 1}, {"a", "b"}),
        ("all", {"a": 1}, None),
    ],
)
def test_a_join_runs_when_enough_paths_arrived(wait: Any, given: Any, met: set[str] | None) -> None:
    flow = JOINED.join("met", wait=wait, depends_on=["a", "b", "c"])
    result = run(flow, given)
    assert result.success
    if met is None:
        assert result.skips["met"] == BEHIND
    else:
        assert result.outputs["met"] == dict.fromkeys(met, given)


def test_a_join_of_some_takes_exclusive_ways_too() -> None:
    flow = (
        Flow("f")
        .step("other", "echo")
        .branch("route", rules=[("input.go", "a")])
        .step("a", "echo", depends_on="route")
        .join("all_of", depends_on=["a", "other"])
        .join("any_of", wait="any", depends_on=["a", "other"])
    )
    assert set(run(flow, {"go": True}).outputs["all_of"]) == {"a", "other"}
    result = run(flow, {"go": False})
    assert result.skips == {"a": NOT_TAKEN, "all_of": NOT_TAKEN}
    assert set(result.outputs["any_of"]) == {"other"}


def test_behind_a_join_that_waited_for_a_success_in_vain_the_path_ends() -> None:
    def fail(_: Any) -> None:
        raise ValueError("no")

    child = Flow("child", max_attempts=1).step("try", "break")
    flow = (
        Flow("f")
        .subflow("sub", child, on_failure="repair")
        .step("repair", "echo", depends_on="sub")
        .step("other", "echo", if_={"no": 1})
        .join("met", wait="any", depends_on=["sub", "other"])
        .step("after", "echo", depends_on="met")
        .step("end", "echo", depends_on=["after", "repair"])
    )
    result = run(flow, {}, others=[child], handlers={"break": fail})
    assert result.success
    assert {step: result.skips[step] for step in ("met", "after")} == {
        "met": BEHIND,
        "after": BEHIND,
    }
    assert set(result.outputs["end"]) == {"repair"}
