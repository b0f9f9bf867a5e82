"""Conditions in CEL, on every kind of step and in every mode."""

from typing import Any

import pytest

from dagster_pgflow.model.flow import Flow
from tests.execution.harness import Result, gives, job_of, run

PRO = {"plan": "pro", "n": 3}


@pytest.mark.parametrize(
    ("settings", "runs"),
    [
        ({"run_if": "input.n > 2"}, True),
        ({"run_if": "input.n > 3"}, False),
        ({"run_unless": "input.n > 3"}, True),
        ({"run_unless": "input.n > 2"}, False),
        ({"run_if": "input.n > 2", "run_unless": "input.plan == 'free'"}, True),
        ({"run_if": "input.n > 2", "run_unless": "input.plan == 'pro'"}, False),
        ({"run_if": "input.n > 2", "if_": {"plan": "pro"}}, True),
        ({"run_if": "input.n > 2", "if_": {"plan": "free"}}, False),
        ({"run_if": "input.n > 3", "if_": {"plan": "pro"}}, False),
        ({"run_unless": "input.n > 3", "if_not": {"plan": "pro"}}, False),
        ({"run_if": "flow_input == input && deps.size() == 0"}, True),
        ({"run_if": "ctx.flow_slug == 'f' && ctx.step_slug == 'a' && ctx.step_path == 'a'"}, True),
        ({"run_if": "ctx.run_id.size() == 36"}, True),
        ({"run_if": "ctx.params.least <= input.n", "params": {"least": 3}}, True),
        ({"run_if": "ctx.params.least <= input.n", "params": {"least": 4}}, False),
    ],
)
def test_all_conditions_of_a_root_step_must_hold(settings: dict[str, Any], runs: bool) -> None:
    result = run(Flow("f").step("a", "echo", **settings), PRO)
    assert result.success
    assert result.statuses == {"a": "completed" if runs else "skipped"}
    assert result.skips == ({} if runs else {"a": "condition_unmet"})


@pytest.mark.parametrize(
    ("text", "runs"),
    [
        ("input.a.ok && input.b == 2", True),
        ("deps.a == input.a && deps.b == 2", True),
        ("deps.a.ok && flow_input.n == 3", True),
        ("flow_input.n > 3", False),
        ("has(deps.c)", False),
        ("!has(deps.c)", True),
    ],
)
def test_a_dependent_step_may_ask_for_its_dependencies_and_the_flow_input(
    text: str, runs: bool
) -> None:
    flow = (
        Flow("f")
        .step("a", **gives({"ok": True}))
        .step("b", **gives(2))
        .step("c", **gives(3), run_if="false")
        .step("d", "echo", depends_on=["a", "b", "c"], run_if=text)
    )
    assert ("d" in run(flow, PRO).outputs) is runs


def test_output_is_that_of_the_only_dependency() -> None:
    flow = Flow("f").step("a", **gives([1, 2]))
    assert "b" in run(flow.step("b", "echo", depends_on="a", run_if="output[1] == 2"), {}).outputs
    assert "b" in run(flow.step("b", "echo", depends_on="a", run_unless="output == []"), {}).outputs
    assert "b" in run(flow.step("b", "echo", depends_on="a", run_if="$[1] == 2"), {}).outputs
    assert "b" in run(flow.step("b", "echo", depends_on="a", run_unless="$[1] == 2"), {}).skips


@pytest.mark.parametrize(("name", "ends"), [("run_if", "skipped"), ("run_unless", "completed")])
def test_an_expression_without_an_answer_counts_as_false_and_warns(
    name: str, ends: str, capfd: pytest.CaptureFixture[str]
) -> None:
    condition: dict[str, Any] = {name: "input.x > 1"}
    assert run(Flow("f").step("a", "echo", **condition), {}).statuses == {"a": ends}
    written = capfd.readouterr().err
    [line] = [line for line in written.splitlines() if "WARNING" in line]
    assert line.endswith(f'Step "a": {name} `input.x > 1` counts as false: there is no key "x".')


def test_an_answer_that_is_no_boolean_counts_as_false_and_warns(
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert run(Flow("f").step("a", "echo", run_if="input.n"), PRO).skips == {"a": "condition_unmet"}
    assert "counts as false: it gives a number, not true or false." in capfd.readouterr().err


def cascade(kind: str, when_unmet: str) -> Result:
    """Run a step of a kind whose condition does not hold, with a chain behind it."""
    flow = Flow("f").step("list", **gives([1, 2]))
    settings: dict[str, Any] = {
        "depends_on": "list",
        "run_if": "flow_input.n > size(output) + 1",
        "when_unmet": when_unmet,
    }
    match kind:
        case "step" | "map":
            flow = getattr(flow, kind)("x", "echo", **settings)
        case _:
            flow = flow.subflow("x", "child", **settings)
    flow = flow.step("y", "echo", depends_on="x").step("z", "echo", depends_on="y")
    child = Flow("child").step("a", "echo").step("b", "echo", depends_on="a")
    return run(flow, PRO, others=[child])


INSIDE = {"x.a": "condition_unmet", "x.b": "condition_unmet"}


@pytest.mark.parametrize("kind", ["step", "map", "subflow"])
def test_an_unmet_condition_skips_the_step_and_its_dependents_run(kind: str) -> None:
    result = cascade(kind, "skip")
    assert result.success
    assert result.skips == (INSIDE if kind == "subflow" else {"x": "condition_unmet"})
    assert result.outputs == {"list": [1, 2], "y": {}, "z": {"y": {}}}


@pytest.mark.parametrize("kind", ["step", "map", "subflow"])
def test_an_unmet_condition_may_skip_all_that_follows(kind: str) -> None:
    result = cascade(kind, "skip-cascade")
    assert result.success
    own = INSIDE if kind == "subflow" else {"x": "condition_unmet"}
    assert result.skips == own | {"y": "dependency_skipped", "z": "dependency_skipped"}


@pytest.mark.parametrize(
    ("kind", "op"), [("step", "x"), ("map", "x"), ("subflow", "x__input")]
)  # fmt: skip
def test_an_unmet_condition_may_fail_the_run(kind: str, op: str) -> None:
    result = cascade(kind, "fail")
    assert not result.success
    assert result.errors == {
        op: 'Step "x" may not run: condition not met,'
        " run_if `flow_input.n > size(output) + 1` is false (flow_input.n is 3; output is [1, 2])."
    }
    assert result.retries == {}


def test_a_failure_says_why_there_was_no_answer() -> None:
    flow = Flow("f").step("a", "echo", run_if="input.x", when_unmet="fail")
    assert run(flow, {}).error == (
        'Step "a" may not run: condition not met, run_if `input.x` is false (there is no key "x").'
    )


@pytest.mark.parametrize(
    ("text", "runs"), [("size(input) == 3", True), ("flow_input[2] > 3", False)]
)
def test_the_condition_of_a_root_map_looks_at_the_whole_list(text: str, runs: bool) -> None:
    result = run(Flow("f").map("m", "echo", run_if=text), [1, 2, 3])
    assert result.outputs == ({"m": [1, 2, 3]} if runs else {})


def test_the_condition_of_a_map_is_asked_once(capfd: pytest.CaptureFixture[str]) -> None:
    flow = Flow("f").step("a", **gives([1, 2, 3]))
    flow = flow.map("m", "echo", depends_on="a", run_unless="flow_input.missing")
    assert run(flow, {}).outputs["m"] == [1, 2, 3]
    assert capfd.readouterr().err.count("counts as false") == 1


def test_a_map_over_a_map_may_ask_for_the_flow_input() -> None:
    flow = Flow("f").step("a", **gives([1])).map("m", "echo", depends_on="a")
    flow = flow.map("n", "echo", depends_on="m", run_if="flow_input.n == output[0] + 2")
    assert run(flow, PRO).outputs["n"] == [1]
    assert run(flow, {"n": 4}).skips == {"n": "condition_unmet"}


CHILD = (
    Flow("child")
    .step("a", "echo", run_if="flow_input.v.n > 1")
    .step("b", "echo", depends_on="a", run_unless="flow_input.v.n > 5")
    .map("m", "echo", depends_on="b", run_if="flow_input.v.n > 9")
)


@pytest.mark.parametrize(
    ("n", "expected"),
    [
        (1, {"a": "skipped", "b": "completed", "m": "skipped"}),
        (2, {"a": "completed", "b": "completed", "m": "skipped"}),
        (6, {"a": "completed", "b": "skipped", "m": "skipped"}),
        (10, {"a": "completed", "b": "skipped", "m": "completed"}),
    ],
)
def test_inside_a_subflow_flow_input_is_that_of_the_subflow(
    n: int, expected: dict[str, str]
) -> None:
    flow = Flow("f").step("v", "echo").subflow("s", "child", depends_on="v")
    ends = run(flow, {"n": n}, others=[CHILD]).statuses
    assert ends == {"v": "completed"} | {f"s.{step}": end for step, end in expected.items()}


@pytest.mark.parametrize(("least", "runs"), [(2, True), (3, False)])
def test_the_condition_of_a_subflow_step_asks_for_the_flow_input_around_it(
    least: int, runs: bool
) -> None:
    flow = (
        Flow("f")
        .step("list", **gives([1, 2]))
        .map("each", "echo", depends_on="list")
        .subflow("s", "deep", depends_on="each", run_if="size(output) >= flow_input.least")
    )
    child = Flow("child").step("a", "echo")
    deep = Flow("deep").subflow("t", "child", run_if="flow_input.each == [1, 2]")
    result = run(flow, {"least": least}, others=[child, deep])
    assert result.success
    if runs:
        assert result.outputs["s.t.a"] == {"each": [1, 2]}
    else:
        assert result.skips == {"s.t.a": "condition_unmet"}


@pytest.mark.parametrize(("n", "runs"), [(3, True), (4, False)])
def test_the_condition_of_a_root_subflow_is_asked_once(
    n: int, runs: bool, capfd: pytest.CaptureFixture[str]
) -> None:
    child = Flow("child").step("a", "echo").step("b", "echo")
    flow = Flow("f").subflow(
        "s", "child", run_if="input.n == 3 && ctx.step_path == 's'", run_unless="input.missing"
    )
    result = run(flow, {"n": n}, others=[child])
    assert set(result.statuses.values()) == {"completed" if runs else "skipped"}
    assert result.helpers == ["s__input"]
    assert capfd.readouterr().err.count("counts as false") == int(runs)


def test_a_root_subflow_with_a_condition_still_checks_every_input_schema() -> None:
    wants = {"type": "object", "required": ["z"]}
    child = Flow("child", input_schema=wants).step("a", "echo")
    flow = Flow("f").subflow("s", "child", run_if="true")
    assert "'z' is a required property" in run(flow, {}, others=[child]).error
    whole = Flow("f", input_schema=wants).subflow("s", "child", run_if="true")
    assert 'The input of flow "f"' in run(whole, {}, others=[child]).error
    assert run(whole, {"z": 1}, others=[child]).outputs == {"s.a": {"z": 1}}


def test_only_what_asks_for_the_flow_input_is_wired_to_it() -> None:
    flow = (
        Flow("f")
        .step("a", "echo")
        .step("asks", "echo", depends_on="a", run_if="flow_input.n == 3")
        .step("asks_not", "echo", depends_on="a", run_if="input.a.flow_input == 3")
        .map("m", "echo", depends_on="a", run_unless="flow_input.n == 3")
    )
    inputs = {node.name: set(node.definition.input_dict) for node in job_of(flow).graph.nodes}
    assert inputs == {
        "a": {"flow_input"},
        "asks": {"a", "flow_input"},
        "asks_not": {"a"},
        "m": {"batch"},
        "m__collect": {"batches"},
    }


def test_a_subflow_whose_dependency_cascades_is_not_asked(
    capfd: pytest.CaptureFixture[str],
) -> None:
    child = Flow("child").step("a", "echo")
    flow = (
        Flow("f")
        .step("a", "echo", run_if="false", when_unmet="skip-cascade")
        .subflow("s", "child", depends_on="a", run_if="flow_input.missing")
    )
    result = run(flow, {}, others=[child])
    assert result.skips == {"a": "condition_unmet", "s.a": "dependency_skipped"}
    assert "counts as false" not in capfd.readouterr().err


def test_a_stored_expression_that_is_no_condition_fails_the_run_with_the_problem() -> None:
    flow = Flow("f").step("a", "echo", run_if="inptu.n > 1")
    result = run(flow, {})
    assert not result.success
    assert (
        'steps.a.run_if: `inptu.n > 1` is not a condition: line 1, column 1: there is no "inptu"'
        in (result.error)
    )


def test_a_handler_that_takes_the_context_and_a_condition_share_the_flow_input() -> None:
    flow = Flow("f").step("a", "echo")
    flow = flow.step("b", "both", depends_on="a", run_if="flow_input.n == 3")
    handlers = {"both": lambda value, ctx: [value["a"]["n"], ctx.flow_input["n"]]}
    assert run(flow, PRO, handlers=handlers).outputs["b"] == [3, 3]
