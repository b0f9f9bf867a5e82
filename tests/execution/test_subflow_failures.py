"""A subflow that fails, and a flow that goes on."""

from collections.abc import Callable
from typing import Any

import pytest

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.step_errors import NonRetryable
from tests.execution.harness import Result, run

PAYMENT = (
    Flow("payment", max_attempts=1)
    .step("check")
    .step("charge", depends_on="check")
    .step("receipt", "echo", depends_on="charge")
)
ORDER = (
    Flow("order", max_attempts=1)
    .step("prepare", "echo")
    .subflow("pay", PAYMENT, depends_on="prepare", on_failure="cancel")
    .step("ship", "echo", depends_on="pay")
    .step("box", "echo", depends_on="ship")
    .step("cancel", "echo", depends_on=["pay", "prepare"])
    .step("close", "echo", depends_on=["box", "cancel"])
)


def check(given: Any) -> Any:
    if given["prepare"].get("card") == "bad":
        raise NonRetryable("no such card")
    return "checked"


def charge(given: Any) -> Any:
    if given["check"] == "checked":
        return {"charge_id": 1}
    raise AssertionError


def breaks(given: Any) -> Any:
    raise ValueError("the bank is closed")


HANDLERS: dict[str, Callable[..., Any]] = {"check": check, "charge": charge}


def order(card: str, **handlers: Callable[..., Any]) -> Result:
    return run(ORDER, {"card": card}, others=[PAYMENT], handlers={**HANDLERS, **handlers})


def test_on_success_the_failure_step_is_skipped_and_the_rest_runs() -> None:
    result = order("good")
    assert result.success
    assert result.skips == {"cancel": "not_taken"}
    assert list(result.outputs["close"]) == ["box"]


def test_on_failure_the_run_goes_on_with_the_error_and_the_trace() -> None:
    result = order("bad")
    assert result.success
    told = result.outputs["cancel"]["pay"]
    error = (
        'Handler "check" of step "pay.check" (flow "payment", attempt 1) raised NonRetryable:'
        " no such card"
    )
    assert told["error"].startswith(error)
    [entry] = told["child_trace"]
    assert entry.pop("duration_ms") >= 0
    assert entry == {"step": "check", "status": "failed", "error": told["error"]}
    assert result.outputs["cancel"]["prepare"] == {"card": "bad"}
    assert list(result.outputs["close"]) == ["cancel"]
    assert result.skips["ship"] == "not_taken"
    assert result.skips["box"] == "not_taken"


def test_the_trace_tells_what_was_done_before_the_failure_in_order() -> None:
    result = order("good", charge=breaks)
    trace = result.outputs["cancel"]["pay"]["child_trace"]
    assert [(entry["step"], entry["status"]) for entry in trace] == [
        ("check", "completed"),
        ("charge", "failed"),
    ]
    assert trace[0]["output"] == "checked"
    assert "raised ValueError: the bank is closed (" in trace[1]["error"]


def test_attempts_are_made_before_the_failure_is_routed() -> None:
    tries: list[int] = []

    def flaky(given: Any) -> Any:
        tries.append(1)
        if len(tries) == 1:
            raise ValueError
        return "ok"

    patient = PAYMENT.model_copy(
        update={"options": PAYMENT.options.model_copy(update={"max_attempts": 2, "base_delay": 0})}
    )
    result = run(ORDER, {"card": "x"}, others=[patient], handlers={**HANDLERS, "charge": flaky})
    assert result.skips == {"cancel": "not_taken"}
    assert len(tries) == 2


def test_a_bad_input_of_the_subflow_is_an_error_like_any_other() -> None:
    # What "prepare" returns is only known when it has.
    prepared = {"type": "object", "required": ["number"]}
    schema = {"type": "object", "properties": {"prepare": prepared}}
    strict = Flow("payment", input_schema=schema).step("check", "echo")
    result = run(ORDER, {"card": "x"}, others=[strict])
    assert "'number' is a required property" in result.outputs["cancel"]["pay"]["error"]
    assert result.success


def test_an_input_mapping_that_leads_nowhere_is_one_too() -> None:
    flow = (
        Flow("f")
        .subflow("s", PAYMENT, input={"prepare": "$input.ghost"}, on_failure="repair")
        .step("repair", "echo", depends_on="s")
    )
    result = run(flow, {}, others=[PAYMENT], handlers=HANDLERS)
    assert result.success
    assert "$input.ghost leads nowhere" in result.outputs["repair"]["s"]["error"]


def test_a_type_violation_inside_is_one_too() -> None:
    lists = (
        Flow("lists")
        .step("a", "echo")
        .map("m", "echo", depends_on="a")
        .map("n", "echo", depends_on="m")
    )
    flow = (
        Flow("f")
        .subflow("s", lists, on_failure="repair")
        .step("repair", "echo", depends_on="s")
        .step("after", "echo", depends_on="s")
    )
    result = run(flow, {"no": "list"}, others=[lists])
    assert result.success
    assert 'needs a list, but step "a"' in result.outputs["repair"]["s"]["error"]
    assert result.skips["after"] == "not_taken"


@pytest.mark.parametrize("batch_size", [1, 5])
def test_one_failing_element_of_a_map_inside_fails_the_subflow(batch_size: int) -> None:
    lists = (
        Flow("lists", max_attempts=1)
        .map("m", "m", batch_size=batch_size)
        .step("sum", "echo", depends_on="m")
    )
    flow = Flow("f").subflow("s", lists, on_failure="repair").step("repair", "echo", depends_on="s")

    def odd(value: int) -> int:
        if value == 2:
            raise ValueError("two")
        return value

    result = run(flow, [1, 2, 3], others=[lists], handlers={"m": odd})
    assert result.success
    told = result.outputs["repair"]["s"]
    assert "raised ValueError: two (" in told["error"]
    assert [(entry["step"], entry["status"]) for entry in told["child_trace"]] == [("m", "failed")]


def test_a_failure_deep_inside_is_routed_by_the_innermost_flow_that_does() -> None:
    leaf = Flow("leaf", max_attempts=1).step("x", "breaks")
    middle = (
        Flow("middle")
        .subflow("inner", leaf, on_failure="mend")
        .step("mend", "echo", depends_on="inner")
    )
    flow = (
        Flow("f")
        .subflow("outer", middle, on_failure="repair")
        .step("repair", "echo", depends_on="outer")
        .step("after", "echo", depends_on="outer")
    )
    result = run(flow, others=[middle, leaf], handlers={"breaks": breaks})
    assert result.success
    assert result.skips["repair"] == "not_taken"
    assert result.outputs["after"]["outer"]["mend"]["inner"]["child_trace"][0]["step"] == "x"


def test_a_failure_is_routed_through_flows_that_do_not() -> None:
    leaf = Flow("leaf", max_attempts=1).step("x", "breaks").step("y", "echo", depends_on="x")
    middle = Flow("middle").subflow("inner", leaf).step("z", "echo", depends_on="inner")
    flow = (
        Flow("f")
        .subflow("outer", middle, on_failure="repair")
        .step("repair", "echo", depends_on="outer")
    )
    result = run(flow, others=[middle, leaf], handlers={"breaks": breaks})
    assert result.success
    trace = result.outputs["repair"]["outer"]["child_trace"]
    assert [(entry["step"], entry["status"]) for entry in trace] == [("inner.x", "failed")]


def test_a_condition_of_the_subflow_step_itself_still_fails_the_run() -> None:
    flow = (
        Flow("f")
        .subflow("s", PAYMENT, if_={"x": 1}, when_unmet="fail", on_failure="repair")
        .step("repair", "echo", depends_on="s")
    )
    result = run(flow, {}, others=[PAYMENT], handlers=HANDLERS)
    assert not result.success
    assert "condition not met" in next(iter(result.errors.values()))


def test_a_subflow_that_is_skipped_takes_neither_failure_nor_success_for_the_failure_step() -> None:
    flow = (
        Flow("f")
        .subflow("s", PAYMENT, if_={"x": 1}, on_failure="repair")
        .step("repair", "echo", depends_on="s")
        .step("after", "echo", depends_on="s")
    )
    result = run(flow, {}, others=[PAYMENT], handlers=HANDLERS)
    assert result.skips["repair"] == "not_taken"
    assert result.outputs["after"] == {}


def test_the_failure_step_may_be_a_subflow() -> None:
    repair = Flow("repair").step("note", "echo")
    flow = (
        Flow("f")
        .subflow("s", PAYMENT, input={"prepare": {"card": "bad"}}, on_failure="mend")
        .subflow("mend", repair, depends_on="s", input={"why": "$nodes.s.error"})
    )
    result = run(flow, {}, others=[PAYMENT, repair], handlers=HANDLERS)
    assert result.success
    assert "no such card (" in result.outputs["mend.note"]["why"]
    ok = run(
        Flow("f")
        .subflow("s", PAYMENT, input={"prepare": {}}, on_failure="mend")
        .subflow("mend", repair, depends_on="s", input={"why": "$nodes.s.error"}),
        {},
        others=[PAYMENT, repair],
        handlers=HANDLERS,
    )
    assert ok.success
    assert "mend.note" in ok.skips


def test_steps_with_names_that_dagster_does_not_allow_are_in_the_trace_by_their_own() -> None:
    odd = Flow("odd", max_attempts=1).step("config", "breaks")
    flow = (
        Flow("f")
        .subflow("input", odd, on_failure="repair")
        .step("repair", "echo", depends_on="input")
    )
    result = run(flow, {}, others=[odd], handlers={"breaks": breaks})
    assert result.outputs["repair"]["input"]["child_trace"][0]["step"] == "config"


def test_a_routed_subflow_on_the_way_not_taken_takes_its_failure_step_along() -> None:
    bad = Flow("bad", max_attempts=1).step("x", "breaks")
    flow = (
        Flow("f")
        .subflow("a", bad, on_failure="mend_a")
        .step("mend_a", "echo", depends_on="a")
        .subflow("b", bad, depends_on="a", on_failure="mend_b")
        .step("mend_b", "echo", depends_on="b")
        # Both routes behind "a" lead here; of those behind "b" only one does.
        .step("close", "echo", depends_on=["mend_b", "mend_a"])
    )
    result = run(flow, others=[bad], handlers={"breaks": breaks})
    assert result.skips["mend_b"] == "not_taken"
    assert list(result.outputs["close"]) == ["mend_a"]


def test_a_mapping_that_fails_inside_is_in_the_trace() -> None:
    leaf = Flow("leaf").step("x", "echo")
    middle = (
        Flow("middle")
        .step("a", "echo")
        .subflow("inner", leaf, depends_on="a", input={"x": "$nodes.a.ghost", "y": "$input"})
    )
    flow = Flow("f").subflow("s", middle, on_failure="mend").step("mend", "echo", depends_on="s")
    result = run(flow, {}, others=[middle, leaf])
    trace = result.outputs["mend"]["s"]["child_trace"]
    assert [(entry["step"], entry["status"]) for entry in trace] == [
        ("a", "completed"),
        ("inner", "failed"),
    ]
    assert "$nodes.a.ghost leads nowhere" in trace[1]["error"]


@pytest.mark.parametrize("order", [["a", "b"], ["b", "a"]])
def test_two_ways_not_taken_end_in_the_same_way_whichever_stands_first(order: list[str]) -> None:
    bad = Flow("bad", max_attempts=1).step("x", "breaks")
    flow = (
        Flow("f")
        .subflow("a", bad, on_failure="mend_a")
        .step("mend_a", "echo", depends_on="a")
        .subflow("b", bad, on_failure="mend_b")
        .step("mend_b", "echo", depends_on="b")
        .step("both", "echo", depends_on=order)
        # Both routes behind "a" lead here.
        .step("close", "echo", depends_on=["both", "mend_a"])
    )
    result = run(flow, others=[bad], handlers={"breaks": breaks})
    assert result.skips["both"] == "not_taken"
    assert list(result.outputs["close"]) == ["mend_a"]


def test_a_failure_step_does_not_run_for_a_subflow_on_the_way_not_taken() -> None:
    bad = Flow("bad", max_attempts=1).step("x", "breaks")
    flow = (
        Flow("f")
        .subflow("a", bad, on_failure="mend_a")
        .step("mend_a", "echo", depends_on="a")
        .subflow("b", bad, depends_on="a", on_failure="mend_b")
        # Both routes behind "a" lead here, but "b" has not failed.
        .step("mend_b", "echo", depends_on=["b", "mend_a"])
    )
    result = run(flow, others=[bad], handlers={"breaks": breaks})
    assert result.skips["mend_b"] == "not_taken"


def test_steps_that_never_ran_because_of_a_bad_input_are_not_in_the_trace() -> None:
    strict = Flow("strict", input_schema={"type": "object", "required": ["n"]}).step("x", "echo")
    middle = Flow("middle").subflow("inner", strict).step("y", "echo")
    flow = (
        Flow("f")
        .subflow("s", middle, on_failure="mend")
        .step("mend", "echo", depends_on="s")
        .subflow("t", strict, on_failure="repair")
        .step("repair", "echo", depends_on="t")
        .subflow("each", strict, over="$input.items", on_failure="renew")
        .step("renew", "echo", depends_on="each")
    )
    result = run(flow, {"items": [{"n": 1}, {}]}, others=[middle, strict])
    trace = result.outputs["mend"]["s"]["child_trace"]
    assert {entry["step"]: entry["status"] for entry in trace} == {
        "inner": "failed",
        "y": "completed",
    }
    assert result.outputs["repair"]["t"]["child_trace"] == []
    assert result.outputs["renew"]["each"]["child_trace"] == []


@pytest.mark.parametrize("deps", [["skipped", "bad"], ["bad", "skipped"]])
def test_a_cascade_inside_does_not_hide_a_failure(deps: list[str]) -> None:
    child = (
        Flow("child", max_attempts=1)
        .step("bad", "breaks")
        .step("skipped", "echo", if_={"never": 1}, when_unmet="skip-cascade")
        .step("last", "echo", depends_on=deps)
    )
    flow = Flow("f").subflow("s", child, on_failure="mend").step("mend", "echo", depends_on="s")
    result = run(flow, {}, others=[child], handlers={"breaks": breaks})
    assert "the bank is closed (" in result.outputs["mend"]["s"]["error"]


def test_a_skipped_batch_of_a_pipelined_map_does_not_hide_the_failure_of_the_map_before() -> None:
    child = (
        Flow("child", max_attempts=1)
        .map("first", "not_two")
        .map("second", "not_one", depends_on="first", pipelined=True, when_exhausted="skip")
    )
    flow = Flow("f").subflow("s", child, on_failure="mend").step("mend", "echo", depends_on="s")

    def refusing(number: int) -> Callable[[int], int]:
        def handler(value: int) -> int:
            if value == number:
                raise ValueError(f"no {number}")
            return value

        return handler

    handlers = {"not_one": refusing(1), "not_two": refusing(2)}
    result = run(flow, [1, 2], others=[child], handlers=handlers)
    assert "no 2 (" in result.outputs["mend"]["s"]["error"]
