"""Conditions, and what happens when they do not hold."""

from typing import Any

import pytest

from dagster_pgflow.model.flow import Flow
from tests.execution.harness import gives, run


@pytest.mark.parametrize(
    ("settings", "runs"),
    [
        ({"if_": {"plan": "pro"}}, True),
        ({"if_": {"plan": "free"}}, False),
        ({"if_": {"tags": ["a"]}}, True),
        ({"if_": {"tags": ["z"]}}, False),
        ({"if_not": {"plan": "free"}}, True),
        ({"if_not": {"plan": "pro"}}, False),
        ({"if_": {"plan": "pro"}, "if_not": {"tags": ["z"]}}, True),
        ({"if_": {"plan": "pro"}, "if_not": {"tags": ["a"]}}, False),
        ({"if_": {}}, True),
        ({"if_not": {}}, False),
    ],
)
def test_the_condition_of_a_root_step_looks_at_the_flow_input(
    settings: dict[str, Any], runs: bool
) -> None:
    flow = Flow("f").step("a", "echo", **settings)
    result = run(flow, {"plan": "pro", "tags": ["a", "b"]})
    assert result.success
    assert result.statuses == {"a": "completed" if runs else "skipped"}
    assert result.skips == ({} if runs else {"a": "condition_unmet"})


@pytest.mark.parametrize(("wanted", "runs"), [({"a": {"ok": True}}, True), ({"ok": True}, False)])
def test_the_condition_of_a_dependent_step_looks_at_the_outputs_by_dependency(
    wanted: dict[str, Any], runs: bool
) -> None:
    flow = (
        Flow("f")
        .step("a", **gives({"ok": True, "n": 1}))
        .step("b", "echo", depends_on="a", if_=wanted)
    )
    assert ("b" in run(flow, {"ok": True}).outputs) is runs


def test_a_skipped_step_does_not_call_its_handler() -> None:
    flow = Flow("f").step("a", if_={"x": 1})
    assert run(flow, {}, handlers={"a": lambda _: 1 / 0}).success


def test_a_skipped_step_needs_no_handler() -> None:
    assert run(Flow("f").step("a", if_={"x": 1}), {}).success


def test_dependents_of_a_skipped_step_still_run_without_its_key() -> None:
    flow = (
        Flow("f")
        .step("a", "echo", if_={"x": 1})
        .step("b", **gives(2))
        .step("only_a", "echo", depends_on="a")
        .step("both", "echo", depends_on=["a", "b"])
    )
    result = run(flow, {})
    assert result.outputs == {"b": 2, "only_a": {}, "both": {"b": 2}}
    assert result.skips == {"a": "condition_unmet"}


def test_a_cascade_skips_every_transitive_dependent() -> None:
    flow = (
        Flow("f")
        .step("a", "echo", if_={"x": 1}, when_unmet="skip-cascade")
        .step("b", **gives(2))
        .step("c", "echo", depends_on=["a", "b"])
        .map("m", "echo", depends_on="c")
        .step("d", "echo", depends_on="m")
        .map("root_of_a", "echo", depends_on="a")
        .step("beside", "echo", depends_on="b")
    )
    result = run(flow, {})
    assert result.success
    assert result.outputs == {"b": 2, "beside": {"b": 2}}
    assert result.skips == {
        "a": "condition_unmet",
        "c": "dependency_skipped",
        "m": "dependency_skipped",
        "d": "dependency_skipped",
        "root_of_a": "dependency_skipped",
    }


def test_an_unmet_condition_may_fail_the_run() -> None:
    flow = Flow("f").step("a", "echo", if_={"x": 1}, when_unmet="fail").step("b", **gives(2))
    result = run(flow.step("c", "echo", depends_on="a"), {"y": 1})
    assert not result.success
    assert result.errors == {
        "a": 'Step "a" may not run: condition not met, its input does not contain {"x": 1}'
        ' (input is {"y": 1}).'
    }
    assert result.retries == {}
    assert result.outputs == {"b": 2}


def test_a_skipped_dependency_is_an_absent_key_for_the_next_condition() -> None:
    flow = (
        Flow("f")
        .step("a", **gives(1), if_={"x": 1})
        .step("if_a", "echo", depends_on="a", if_={"a": 1})
        .step("if_not_a", "echo", depends_on="a", if_not={"a": 1})
    )
    assert run(flow, {}).statuses == {"a": "skipped", "if_a": "skipped", "if_not_a": "completed"}
    assert run(flow, {"x": 1}).statuses == {
        "a": "completed", "if_a": "completed", "if_not_a": "skipped",
    }  # fmt: skip


def test_all_leaves_may_be_skipped() -> None:
    result = run(Flow("f").step("a", "echo", if_={"x": 1}), {})
    assert (result.success, result.outputs) == (True, {})


@pytest.mark.parametrize("over", ["list", None])
def test_a_map_with_an_unmet_condition_is_skipped_whole(over: str | None) -> None:
    condition: dict[str, Any] = {"list": [9]} if over else {"x": 1}
    flow = (
        Flow("f")
        .step("list", "echo")
        .map("m", "echo", depends_on=[over] if over else [], if_=condition)
        .step("b", "echo", depends_on="m")
    )
    result = run(flow, [1, 2])
    assert result.skips == {"m": "condition_unmet"}
    assert result.outputs == {"list": [1, 2], "b": {}}
    assert result.executions["m"] == 1


def test_a_map_with_a_met_condition_runs() -> None:
    flow = Flow("f").step("list", "echo").map("m", "echo", depends_on="list", if_={"list": [2]})
    assert run(flow, [1, 2]).outputs["m"] == [1, 2]


def test_the_condition_of_a_map_is_looked_at_before_its_list() -> None:
    flow = Flow("f").map("m", "echo", if_={"x": 1})
    assert run(flow, {"no": "list"}).skips == {"m": "condition_unmet"}


def test_a_map_may_fail_the_run_when_its_condition_does_not_hold() -> None:
    flow = Flow("f").step("list", "echo")
    flow = flow.map("m", "echo", depends_on="list", if_={"list": [9]}, when_unmet="fail")
    result = run(flow, [1, 2])
    assert result.errors == {
        "m": 'Step "m" may not run: condition not met, its input does not contain {"list": [9]}'
        " (input.list is [1, 2])."
    }


def test_a_map_fed_by_a_skipped_step_completes_with_an_empty_list() -> None:
    flow = (
        Flow("f")
        .step("list", "echo", if_={"x": 1})
        .map("m", "echo", depends_on="list")
        .map("n", "echo", depends_on="m")
        .step("b", "echo", depends_on="n")
    )
    result = run(flow, {})
    assert result.outputs == {"m": [], "n": [], "b": {"n": []}}


def test_a_map_fed_by_a_skipped_map_completes_with_an_empty_list() -> None:
    flow = (
        Flow("f")
        .step("list", "echo")
        .map("m", "echo", depends_on="list", if_={"list": [9]})
        .map("n", "echo", depends_on="m")
    )
    assert run(flow, [1]).outputs == {"list": [1], "n": []}


def test_a_cascading_map_skips_the_map_behind_it() -> None:
    flow = (
        Flow("f")
        .step("list", "echo")
        .map("m", "echo", depends_on="list", if_={"list": [9]}, when_unmet="skip-cascade")
        .map("n", "echo", depends_on="m")
        .step("b", "echo", depends_on="n")
    )
    result = run(flow, [1])
    assert result.skips == {
        "m": "condition_unmet",
        "n": "dependency_skipped",
        "b": "dependency_skipped",
    }
