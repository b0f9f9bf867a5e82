"""What Dagster's web UI shows of a failure: the exception of the handler first, with its frames."""

import re
import socket
import urllib.request
from collections.abc import Callable
from typing import Any

import dagster as dg
import pytest

from dagster_pgflow.model.flow import Flow
from tests.execution.harness import job_of

FLOW = Flow("f", max_attempts=1).step("a", "charge")
HERE = "test_what_is_told_of_failures.py"


class Silent(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


def look_up(value: Any) -> Any:
    return {"known": 1}[value]


def charge(value: Any) -> Any:
    try:
        return look_up("unknown")
    except KeyError as error:
        raise ValueError("no such card") from error


def failed(handler: Callable[..., Any], flow: Flow = FLOW) -> Any:
    job = job_of(flow, handlers={"charge": handler})
    result = job.execute_in_process(run_config={"inputs": {"flow_input": 1}}, raise_on_error=False)
    [event] = [event for event in result.all_events if event.is_step_failure]
    return event


def error_of(handler: Callable[..., Any]) -> Any:
    return failed(handler).step_failure_data.error


def test_what_the_handler_raised_comes_first_with_its_own_frames_alone() -> None:
    event = failed(charge)
    error = event.step_failure_data.error
    assert error.message == "ValueError: no such card\n"
    assert [HERE in frame for frame in error.stack] == [True]
    assert 'raise ValueError("no such card")' in error.stack[-1]
    assert error.cause.message == "KeyError: 'unknown'\n"
    assert "look_up" in error.cause.stack[-1]
    told = event.step_failure_data.user_failure_data
    assert told.description.startswith('Handler "charge" of step "a" (flow "f", attempt 1) raised')
    assert f"ValueError: no such card (tests/execution/{HERE}:" in told.description
    assert " in charge), from KeyError: 'unknown' (" in told.description
    assert told.description.endswith(" in look_up)")


def test_whoever_asks_for_exceptions_gets_one_that_leads_to_that_of_the_handler() -> None:
    job = job_of(FLOW, handlers={"charge": charge})
    with pytest.raises(dg.Failure, match="no such card") as caught:
        job.execute_in_process(run_config={"inputs": {"flow_input": 1}})
    told = caught.value.__cause__
    assert told is not None
    assert isinstance(told.__cause__, ValueError)


def test_what_is_hidden_on_purpose_stays_hidden() -> None:
    def hide(value: Any) -> Any:
        try:
            look_up("unknown")
        except KeyError:
            raise ValueError("no such card") from None

    error = error_of(hide)
    assert (error.cause, error.context) == (None, None)


def sentence_of(handler: Callable[..., Any]) -> str:
    """Return what the tables say of a failure, behind the name of the handler and the attempt."""
    told = failed(handler).step_failure_data.user_failure_data.description or ""
    return str(told.partition(" raised ")[2])


def test_the_sentence_tells_what_an_exception_was_raised_from_and_the_lines_of_both() -> None:
    def twice(value: Any) -> Any:
        try:
            charge(value)
        except ValueError as error:
            raise RuntimeError from error

    told = sentence_of(twice)
    assert re.sub(r"\(\S+:\d+ in (\w+)\)", r"(\1)", told) == (
        "RuntimeError (twice), from ValueError: no such card (charge), from KeyError: 'unknown'"
        " (look_up)."
    )


def test_the_sentence_tells_what_was_being_handled_if_a_line_of_the_users_raised_that() -> None:
    def handling(value: Any) -> Any:
        try:
            look_up("unknown")
        except KeyError:
            raise ValueError("no such card")  # noqa: B904

    def of_a_library(value: Any) -> Any:
        with socket.socket() as nobody:
            nobody.bind(("127.0.0.1", 0))
            urllib.request.urlopen(f"http://127.0.0.1:{nobody.getsockname()[1]}/")

    assert ", while handling KeyError: 'unknown' (" in sentence_of(handling)
    assert "while handling" not in sentence_of(of_a_library)


def test_the_sentence_stays_short_whatever_led_to_an_exception() -> None:
    def circle(value: Any) -> Any:
        first, second = ValueError("first"), KeyError("k")
        first.__cause__, second.__cause__ = second, first
        raise first

    def huge(value: Any) -> Any:
        raise ValueError("small") from ValueError(f"{'word ' * 90}{'s' * 1_000_000}")

    def silent(value: Any) -> Any:
        raise ValueError("small") from Silent()

    assert sentence_of(circle).count("first") < 4
    assert sentence_of(huge).endswith("word word …")
    assert len(sentence_of(huge)) < 700
    assert sentence_of(silent).endswith("from Silent: (it has no text)")


def test_an_exception_without_a_text_and_one_with_a_huge_text_are_told() -> None:
    def silent(value: Any) -> Any:
        raise Silent

    def huge(value: Any) -> Any:
        raise ValueError("x" * 1_000_000)

    assert error_of(silent).message == "Silent: (it has no text)\n"
    event = failed(huge)
    assert len(event.step_failure_data.error.message) < 21_000
    assert HERE in (event.step_failure_data.user_failure_data.description or "")


def test_a_group_tells_what_is_in_it_and_where_each_came_up() -> None:
    def both(value: Any) -> Any:
        found = []
        for call in (look_up, int):
            try:
                call("x")
            except (KeyError, ValueError) as error:
                found.append(error)
        raise ExceptionGroup("two things", found)

    first, second, third, *_ = error_of(both).message.splitlines()
    assert first == "ExceptionGroup: two things (2 sub-exceptions)"
    assert second.startswith("  1. KeyError: 'x' (")
    assert "in look_up" in second
    assert third.startswith("  2. ValueError: invalid literal")


def test_what_comes_from_c_or_from_a_coroutine_is_told_too() -> None:
    async def later(value: Any) -> Any:
        return look_up("x")

    assert error_of(len).message.startswith("TypeError: ")
    error = error_of(later)
    assert ["in later" in frame or "in look_up" in frame for frame in error.stack] == [True, True]


def test_a_recursion_without_end_does_not_fill_the_log() -> None:
    def deeper(value: Any) -> Any:
        return other(value)

    def other(value: Any) -> Any:
        return deeper(value)

    error = error_of(deeper)
    assert error.cls_name == "RecursionError"
    assert len(error.stack) < 50


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
def test_a_handler_that_raises_what_stops_a_process_fails_its_step(
    stop: type[BaseException],
) -> None:
    def end(value: Any) -> Any:
        raise stop

    assert failed(end).step_failure_data.error.message == f"{stop.__name__}\n"


def test_a_step_that_cannot_run_says_so_without_any_frame() -> None:
    job = job_of(FLOW, handlers={"elsewhere": charge})
    result = job.execute_in_process(run_config={"inputs": {"flow_input": 1}}, raise_on_error=False)
    [event] = [event for event in result.all_events if event.is_step_failure]
    error: Any = event.step_failure_data.error
    assert (error.cls_name, error.stack, error.cause) == ("UnknownHandler", [], None)


def test_an_attempt_that_is_tried_again_tells_the_same() -> None:
    flow = Flow("f", max_attempts=2, base_delay=0).step("a", "charge")
    job = job_of(flow, handlers={"charge": charge})
    result = job.execute_in_process(run_config={"inputs": {"flow_input": 1}}, raise_on_error=False)
    [event] = [event for event in result.all_events if event.is_step_up_for_retry]
    error: Any = event.step_retry_data.error
    assert error.message == "ValueError: no such card\n"
    assert [HERE in frame for frame in error.stack] == [True]
