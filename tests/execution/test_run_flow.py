"""What tests of flows have: mocks, a clock that does not wait, and assertions that say what was."""

from datetime import UTC, datetime
from typing import Any

import pytest

from dagster_pgflow import Flow, handler
from dagster_pgflow.errors import ConfigurationError
from dagster_pgflow.testing import DEADLINE_PASSED, GivenAnswer, run_flow

ONE = Flow("one").step("read").step("write", depends_on="read")
MANY = (
    Flow("many")
    .step("find", start_delay=3600)
    .map("price", depends_on="find", max_attempts=3, base_delay=600, jitter="none")
    .subflow("each", ONE, over="price", depends_on="price")
    .step("send", "pgflow.http", params={"url": "https://$secrets.host/"}, depends_on="each")
    .approval("ask", prompt="Sent?", depends_on="send")
)


def test_mocks_stand_in_for_handlers_elements_items_and_node_types() -> None:
    result = run_flow(
        MANY,
        flows=[ONE],
        mock={
            "find": ["a", "b", "c"],
            "price": len,
            "price[2]": [RuntimeError("busy"), TimeoutError, 30],
            "each.read": lambda price, ctx: price + len(ctx.run_id) * 0,
            "each[1].read": 7,
            "each.write": lambda done: done["read"],
            "send": {"status": 200},
        },
        answers={"ask": "yes"},
    )
    result.assert_completed().assert_output("send", {"status": 200})
    result.assert_output("price", [1, 1, 30]).assert_attempts("price", 3, task=2)
    result.assert_output("each", [{"write": 1}, {"write": 7}, {"write": 30}])
    result.assert_route("find", "price", "each[1].read", "send")
    tried = result.tasks["price"][2].attempts
    assert [attempt.delay for attempt in tried] == [1200.0, 2400.0, None]
    assert result.step("find").delay == pytest.approx(3600)


def test_a_mock_that_raises_fails_the_step_as_a_handler_would() -> None:
    flow = Flow("f").step("a", max_attempts=2).step("b", depends_on="a", when_exhausted="skip")
    error = KeyError("x")
    result = run_flow(flow, mock={"a": error, "b": 1})
    result.assert_failed("KeyError", step="a").assert_attempts("a", 2)
    assert result.exception is error
    assert str(result.error).endswith("raised KeyError: 'x'"), "a mock stands nowhere in a file"

    skipped = run_flow(flow, mock={"a": 1, "b": error})
    skipped.assert_completed().assert_skipped("b", "handler_failed", by="b")
    assert skipped.step("b").exception is error


def test_a_mock_is_held_to_what_the_handler_says_it_returns() -> None:
    @handler("count")
    def count(_text: str) -> int:
        return 1

    flow = Flow("f").step("count", max_attempts=1)
    run_flow(flow, "a", handlers=count, mock={"count": 2}).assert_completed({"count": 2})
    run_flow(flow, "a", handlers=count, mock={"count": "two"}).assert_failed("its own type")


def test_steps_of_a_loop_are_mocked_as_the_flow_calls_them_or_by_iteration() -> None:
    flow = (
        Flow("l")
        .step("ask")
        .loop("again", depends_on="ask", back_to="ask", condition="output.no", max_iterations=5)
        .step("end", depends_on="again")
    )
    result = run_flow(
        flow, mock={"ask": {"no": True}, "again[3].ask": {"no": False}, "end": lambda v: v}
    )
    result.assert_completed().assert_output("again[3].ask", {"no": False})
    assert "again[4].ask" not in result.steps


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"mock": {"prise": 1}}, '"prise", and flow "many" has no such step; "price" may be meant'),
        ({"mock": {"each.reed": 1}}, '"each.read" may be meant'),
        ({"mock": {"find[1]": 1}}, '"find" may be meant'),
        ({"mock": {"a..b": 1}}, "has no such step"),
        ({"mock": {"each": []}}, 'runs flow "one"; mock the steps of that: "each.<step>"'),
        (
            {"answers": {"find": 1}},
            "does not wait: it is of type single. What its handler returns belongs into mock.",
        ),
        ({"mock": {"prise": 1, "fin": 1}}, '"find" may be meant'),
        ({"mock": {"find": GivenAnswer(1)}}, "is an answer to a step that waits; give what"),
        ({"mock": {"find": DEADLINE_PASSED}}, "DEADLINE_PASSED is an answer to a step that waits"),
        ({"mock": {"ask": 1}}, '"ask", which waits; what it is told belongs into answers.'),
        ({"answers": {"ask": DEADLINE_PASSED}}, "has no deadline that could pass"),
        ({"answers": {"ask": ValueError("no")}}, "ValueError('no') is no answer; give JSON,"),
        ({"answers": {"ask": GivenAnswer(len)}}, "is no answer; give JSON"),
    ],
)
def test_a_mock_or_an_answer_that_no_step_can_take_is_one_clear_error(
    arguments: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(ConfigurationError) as raised:
        run_flow(MANY, flows=[ONE], **arguments)
    assert sentence in str(raised.value)


def test_waits_are_answered_and_times_pass_at_once() -> None:
    flow = (
        Flow("w")
        .sleep("night", seconds=28_800)
        .approval("ok", prompt="Go?", deadline=60, depends_on="night", on_timeout="late")
        .step("go", depends_on="ok")
        .step("late", depends_on="ok")
    )
    now = datetime(2030, 1, 31, tzinfo=UTC)
    mock = {"go": lambda done: done["ok"]["answered_by"], "late": "too late"}
    run_flow(flow, mock=mock, now=now).assert_waiting("ok").assert_output(
        "night", {"slept_until": "2030-01-31T08:00:00Z"}
    )
    told = run_flow(flow, mock=mock, answers={"ok": GivenAnswer({"yes": 1}, "kim")})
    told.assert_completed({"go": "kim"}).assert_skipped("late", "not_taken")
    late = run_flow(flow, mock=mock, answers={"ok": DEADLINE_PASSED})
    late.assert_ran("late").assert_route("ok", "late")


def test_guards_count_in_one_run() -> None:
    flow = Flow("g").map(
        "ask",
        max_attempts=1,
        max_failures=10,
        circuit_breaker={"min_calls": 2, "failure_rate": 50, "open_seconds": 600},
        rate_limiter={"calls": 1, "per_ms": 1000, "max_wait_seconds": 60},
    )
    calls: list[Any] = []

    def ask(element: int) -> None:
        calls.append(element)
        raise RuntimeError("down")

    result = run_flow(flow, list(range(5)), mock={"ask": ask})
    assert calls == [0, 1]
    assert "is open since" in str(result.tasks["ask"][4].error)


@pytest.mark.parametrize(
    ("claim", "sentence"),
    [
        (lambda result: result.assert_failed(), "The run did not fail."),
        (lambda result: result.assert_waiting(), "The run does not wait."),
        (lambda result: result.assert_completed({"b": 2}), 'returned {"b": 1}, not {"b": 2}.'),
        (lambda result: result.assert_ran("skipped"), 'Step "skipped" did not complete.'),
        (lambda result: result.assert_skipped("b"), 'Step "b" was not skipped.'),
        (lambda result: result.assert_skipped("skipped", "not_taken"), "reason: condition_unmet."),
        (
            lambda result: result.assert_skipped("skipped", by="a"),
            'skipped by "skipped" or "false", not by "a".',
        ),
        (lambda result: result.assert_output("a", 2), 'Step "a" returned 1, not 2.'),
        (lambda result: result.assert_attempts("a", 2), "was tried 1 times, not 2."),
        (lambda result: result.assert_route("b", "a"), 'did not go through "a" after b.'),
        (lambda result: result.assert_ran("skiped"), '"skipped" may be meant'),
    ],
)
def test_what_is_not_so_is_said_with_all_that_happened(claim: Any, sentence: str) -> None:
    flow = Flow("f").step("a").step("b", depends_on="a").step("skipped", run_if="false")
    result = run_flow(flow, mock={"a": 1, "b": 1})
    with pytest.raises(AssertionError) as raised:
        claim(result)
    assert sentence in str(raised.value)
    assert "skipped: skipped, condition_unmet" in str(raised.value)


def test_a_skip_is_put_down_to_its_beginning_the_branch_or_the_condition() -> None:
    inner = Flow("inner").step("work")
    flow = (
        Flow("f")
        .step("a", max_attempts=1, on_failure="refund")
        .step("refund", depends_on="a")
        .branch("way", rules=[("output == 1", "one")], default_path="two", depends_on="a")
        .step("one", depends_on="way")
        .step("two", depends_on="way")
        .step("three", depends_on=["two", "a"])
        .subflow("inner", inner, depends_on="two")
        .step("off", depends_on="a", run_if="true", run_unless="input.a > 0")
        .step("shut", run_unless="true", when_unmet="skip-cascade")
        .step("behind", depends_on="shut")
        .step("last", depends_on="behind")
    )
    result = run_flow(
        flow, flows=[inner], mock={"a": 1, **dict.fromkeys(("refund", "one", "two", "three"), 2)}
    )
    result.assert_completed()
    for path in ("two", "three", "inner", "inner.work"):
        result.assert_skipped(path, by="way").assert_skipped(path, by="two")
    result.assert_skipped("refund", "not_taken", by="a").assert_skipped("refund", by="refund")
    result.assert_skipped("off", "condition_unmet", by="input.a > 0").assert_skipped(
        "off", by="off"
    )
    result.assert_skipped("last", "dependency_skipped", by="shut")
    told = result.explain()
    assert "  three: skipped, not_taken (by way)\n" in told
    assert "  last: skipped, dependency_skipped (by shut)\n" in told
    with pytest.raises(AssertionError, match='was skipped by "way" or "two", not by "a"'):
        result.assert_skipped("three", by="a")


def test_what_is_explained_has_the_attempts_and_where_the_run_waits() -> None:
    inner = Flow("inner").approval("ok", prompt="Fine?").step("done", depends_on="ok")
    flow = (
        Flow("f")
        .step("find", base_delay=7, jitter="none")
        .map("price", depends_on="find", max_attempts=2, collect_errors=True)
        .subflow("inner", inner, depends_on="find")
        .step("sum", depends_on=["price", "inner"])
    )
    result = run_flow(
        flow,
        flows=[inner],
        mock={
            "find": [RuntimeError("two\nlines"), [1, 2]],
            "price": 1,
            "price[1]": ValueError("no"),
        },
    )
    result.assert_waiting("inner.ok").assert_route("find", "inner", "inner.ok")
    told = result.explain().splitlines()
    assert told[2] == "    attempt 1: failed, RuntimeError: two lines; the next 14 s later"
    assert told[3] == "    attempt 2: completed"
    assert "    element 1, attempt 2: failed" in "\n".join(told)
    assert "element 0" not in result.explain()
    assert "inner -> inner.ok (waits), price -> sum (not begun)" in told[-1].replace(
        "price -> sum (not begun), inner -> inner.ok (waits)",
        "inner -> inner.ok (waits), price -> sum (not begun)",
    )


def test_with_only_mocks_no_handler_is_called_and_those_without_a_mock_are_named() -> None:
    called: list[Any] = []
    handlers = dict.fromkeys(("find", "price", "read", "write"), called.append)
    said: Any = {"flows": [ONE], "handlers": handlers, "only_mocks": True}
    with pytest.raises(ConfigurationError) as raised:
        run_flow(MANY, mock={"price": 1, "each.read": 1}, **said)
    assert str(raised.value) == (
        "The run came to find without a mock, and only_mocks lets no handler be called; add what it"
        " returns to mock. Without a mock are also each.write, send."
    )
    with pytest.raises(ConfigurationError, match=r"The run came to price\[1\] without a mock"):
        run_flow(MANY, mock={"find": [1, 2], "price[0]": 1}, **said)
    with pytest.raises(ConfigurationError, match=r"The run came to each\[1\].write without"):
        run_flow(
            MANY, mock={"find": [1, 2], "price": 1, "each.read": 1, "each[0].write": 1}, **said
        )
    passes_over = Flow("f").step("find", when_exhausted="skip").step("price", depends_on="find")
    with pytest.raises(ConfigurationError, match=r"came to find without a mock, .* also price"):
        run_flow(passes_over, **said)
    assert called == []
    unreached = Flow("f").step("find").step("price", depends_on="find", run_if="false")
    run_flow(unreached, mock={"find": 1}, **said).assert_completed()
