"""Conditions on subflow steps, and conditions inside them."""

from typing import Any

import pytest

from dagster_pgflow.model.flow import Flow
from tests.execution.harness import Result, gives, run

LEAF = Flow("leaf").step("x", "echo")
INNER = Flow("inner").step("p", "echo").map("q", "echo")
CHILD = (
    Flow("child")
    .step("x", "echo")
    .map("m", "echo")
    .subflow("core", INNER)
    .step("y", "echo", depends_on=["x", "m", "core"])
    .step("z", "echo")
)
INSIDE = {"s.x", "s.m", "s.core.p", "s.core.q", "s.y", "s.z"}


def flow_of(deps: list[str], **settings: Any) -> Flow:
    return (
        Flow("f")
        .step("a", **gives(1))
        .step("c", **gives(2))
        .map("list", "echo")
        .subflow("s", CHILD, depends_on=deps, **settings)
        .step("only_s", "echo", depends_on="s")
        .step("both", "echo", depends_on=["s", "a"])
        .map("over_s", "echo", depends_on="s")
        .subflow("t", LEAF, depends_on="s")
        .step("beside", "echo", depends_on="a")
    )


def go(flow: Flow) -> Result:
    return run(flow, [1, 2], others=[CHILD, INNER, LEAF])


# The input may come from the flow input, one step, several, a map, or through a helper.
ways_in = pytest.mark.parametrize("deps", [[], ["a"], ["a", "c"], ["list"], ["list", "a"]])


@ways_in
def test_a_skipped_subflow_skips_all_inside_and_its_dependents_run_without_its_key(
    deps: list[str],
) -> None:
    flow = flow_of(deps, if_={"never": True})
    result = go(flow)
    assert result.success
    assert result.skips == dict.fromkeys(INSIDE, "condition_unmet")
    before = {"a": 1, "c": 2, "list": [1, 2], "beside": {"a": 1}}
    behind = {"only_s": {}, "both": {"a": 1}, "over_s": [], "t.x": {}}
    assert result.outputs == before | behind


@ways_in
def test_a_cascading_subflow_skips_its_dependents_too(deps: list[str]) -> None:
    flow = flow_of(deps, if_={"never": True}, when_unmet="skip-cascade")
    result = go(flow)
    assert result.success
    cascaded = {"only_s", "both", "over_s", "t.x"}
    assert result.skips == dict.fromkeys(INSIDE, "condition_unmet") | dict.fromkeys(
        cascaded, "dependency_skipped"
    )
    assert result.outputs == {"a": 1, "c": 2, "list": [1, 2], "beside": {"a": 1}}


@ways_in
def test_a_subflow_that_may_not_run_fails_the_run_by_its_own_name(deps: list[str]) -> None:
    result = go(flow_of(deps, if_={"never": True}, when_unmet="fail"))
    assert not result.success
    assert {error.partition(" (input is ")[0] for error in result.errors.values()} == {
        'Step "s" may not run: condition not met, its input does not contain {"never": true}'
    }
    assert result.outputs == {"a": 1, "c": 2, "list": [1, 2], "beside": {"a": 1}}


def test_the_condition_of_a_subflow_step_looks_at_its_input() -> None:
    flow = (
        Flow("f")
        .step("a", **gives({"ok": 1}))
        .subflow("root_yes", LEAF, if_={"n": 1})
        .subflow("root_no", LEAF, if_not={"n": 1})
        .subflow("dep_yes", LEAF, depends_on="a", if_={"a": {"ok": 1}})
        .subflow("dep_no", LEAF, depends_on="a", if_={"n": 1})
    )
    assert run(flow, {"n": 1}, others=[LEAF]).statuses == {
        "a": "completed",
        "root_yes.x": "completed",
        "root_no.x": "skipped",
        "dep_yes.x": "completed",
        "dep_no.x": "skipped",
    }


def test_a_subflow_behind_a_cascade_is_skipped_with_all_inside() -> None:
    flow = (
        Flow("f")
        .step("a", "echo", if_={"never": True}, when_unmet="skip-cascade")
        .subflow("s", CHILD, depends_on="a")
        .step("b", "echo", depends_on="s")
    )
    result = go(flow)
    assert result.success
    assert result.skips == {"a": "condition_unmet"} | dict.fromkeys(
        INSIDE | {"b"}, "dependency_skipped"
    )


def test_a_subflow_behind_a_skipped_step_runs_without_its_key() -> None:
    flow = Flow("f").step("a", "echo", if_={"never": True}).subflow("s", LEAF, depends_on="a")
    assert run(flow, {}, others=[LEAF]).outputs == {"s.x": {}}


def test_skips_inside_a_child_do_not_leak_to_the_parent() -> None:
    child = (
        Flow("leaf")
        .step("x", "echo", if_={"never": True}, when_unmet="skip-cascade")
        .step("y", "echo", depends_on="x")
        .step("z", **gives(1))
    )
    flow = Flow("f").subflow("s", child).step("b", "echo", depends_on="s")
    result = run(flow, {}, others=[child])
    assert result.skips == {"s.x": "condition_unmet", "s.y": "dependency_skipped"}
    assert result.outputs == {"s.z": 1, "b": {"s": {"z": 1}}}


@pytest.mark.parametrize("when_unmet", ["skip", "skip-cascade"])
def test_a_child_whose_final_steps_are_all_skipped_completes_with_null(when_unmet: Any) -> None:
    child = Flow("leaf").step("x", "echo", if_={"never": True}, when_unmet=when_unmet)
    flow = Flow("f").subflow("s", child).step("b", "echo", depends_on="s")
    result = run(flow, {}, others=[child])
    assert result.outputs == {"b": {"s": None}}


def test_an_exhausted_step_inside_a_child_is_skipped_there() -> None:
    child = Flow("leaf", max_attempts=1).step("x", "fail", when_exhausted="skip-cascade")
    child = child.step("y", "echo", depends_on="x").step("z", **gives(1))
    flow = Flow("f").subflow("s", child).step("b", "echo", depends_on="s")
    result = run(flow, others=[child], handlers={"fail": lambda _: 1 / 0})
    assert result.success
    assert result.skips == {"s.x": "handler_failed", "s.y": "dependency_skipped"}
    assert result.outputs["b"] == {"s": {"z": 1}}


def test_a_skipped_inner_subflow_does_not_skip_the_outer_one() -> None:
    middle = (
        Flow("middle")
        .subflow("core", INNER, if_={"never": True}, when_unmet="skip-cascade")
        .step("behind", "echo", depends_on="core")
        .step("beside", **gives(1))
    )
    flow = Flow("f").subflow("s", middle).step("b", "echo", depends_on="s")
    result = run(flow, {}, others=[INNER, middle])
    assert result.skips == {
        "s.core.p": "condition_unmet",
        "s.core.q": "condition_unmet",
        "s.behind": "dependency_skipped",
    }
    assert result.outputs == {"s.beside": 1, "b": {"s": {"beside": 1}}}


def test_conditions_inside_a_child_look_at_the_childs_own_input() -> None:
    child = Flow("leaf").step("x", "echo", if_={"a": 1}).step("y", "echo", if_={"n": 1})
    flow = Flow("f").step("a", **gives(1)).subflow("s", child, depends_on="a")
    assert run(flow, {"n": 1}, others=[child]).statuses == {
        "a": "completed",
        "s.x": "completed",
        "s.y": "skipped",
    }


def test_a_step_of_a_skipped_subflow_needs_no_handler() -> None:
    child = Flow("leaf").step("x", "nobody").map("m", "nobody", depends_on="x")
    flow = Flow("f").subflow("s", child, if_={"never": True})
    assert run(flow, {}, others=[child]).success
