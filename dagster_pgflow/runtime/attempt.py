"""One attempt of one task: check the input, call the handler in time, check the output."""

import asyncio
import contextvars
import inspect
import json
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from dagster_pgflow.runtime.context import StepContext
from dagster_pgflow.runtime.exceptions_told import said
from dagster_pgflow.runtime.handlers import Handler
from dagster_pgflow.runtime.hooks import ALONE, Around
from dagster_pgflow.runtime.values import to_json
from dagster_pgflow.step_errors import (
    FailedOnPurpose,
    HandlerFailed,
    HandlerTimedOut,
    NonRetryable,
    RetryAfter,
    StepError,
    ValueNotJson,
)

Rank = Literal["of", "before", "after"]
"""How a handler stands to the step that it is called for."""


def attempt(
    handler: Handler, value: Any, context: StepContext, timeout: float, around: Around = ALONE
) -> Any:
    """Call a handler once, with those around it, and return the output as JSON.

    Args:
        handler: The handler.
        value: Its input, as JSON.
        context: The step context.
        timeout: Seconds after which the wait ends; the handler's thread is left behind then.
        around: What happens around the call, within the same time.

    Raises:
        NonRetryable: The input does not fit the handler's type hint, or the handler said so.
        RetryAfter: The handler said so.
        HandlerTimedOut: The handler took too long.
        HandlerFailed: The handler raised, or returned what is not JSON or not of its type.
    """
    calls = _Calls(context)

    def work() -> Any:
        given = around.taken(calls.through(around.before, "before", value))
        output = around.returned(given, calls.one(handler, "of", given))
        return calls.through(around.after, "after", output)

    ended = _within(timeout, work)
    if ended is None:
        raise HandlerTimedOut(
            f"{calls.at_work} took longer than its timeout of {timeout:g} s;"
            " make it quicker or raise the step's timeout."
        )
    if ended.error is not None:
        raise ended.error
    return ended.returned


class _Calls:
    """The calls of one attempt.

    Args:
        context: The step context, the same for all.

    Attributes:
        at_work: Which handler is being called, for people.
    """

    def __init__(self, context: StepContext) -> None:
        self._context = context
        self.at_work = ""

    def through(self, handlers: Iterable[Handler], rank: Rank, value: Any) -> Any:
        """Return what is left of a value that one handler after the other takes and returns."""
        for handler in handlers:
            value = self.one(handler, rank, value)
        return value

    def one(self, handler: Handler, rank: Rank, value: Any) -> Any:
        """Call one handler; return its output as JSON.

        Raises:
            StepError: It says which handler is to blame.
        """
        subject = self.at_work = _subject(handler, rank, self._context)
        typed = _typed_input(handler, value, subject)
        arguments = (typed, self._context) if handler.wants_context else (typed,)
        try:
            returned = _call(handler, arguments)
        except BaseException as error:  # whatever it raises is news for its step alone
            raise _as_step_error(error, f"{subject} raised {said(error)}") from error
        return _json_output(handler, returned, subject)


def _call(handler: Handler, arguments: tuple[Any, ...]) -> Any:
    returned = handler.function(*arguments)
    if inspect.iscoroutine(returned):
        return asyncio.run(returned)
    return returned


@dataclass(frozen=True)
class _Ended:
    """How a call ended.

    Attributes:
        returned: What it returned.
        error: What it raised; `SystemExit` and the like too, which are no news for this process.
    """

    returned: Any = None
    error: BaseException | None = None


def _within(timeout: float, call: Callable[[], Any]) -> _Ended | None:
    """Run a call in a thread of its own; return how it ended, or `None` after the timeout.

    The thread is a daemon, because a handler that never returns must not keep the process.
    """
    ended: list[_Ended] = []

    def run() -> None:
        try:
            ended.append(_Ended(call()))
        except BaseException as error:  # noqa: BLE001  # handed to the waiting thread
            ended.append(_Ended(error=error))

    # The thread sees the context variables of this one, where Dagster and tracers keep theirs.
    surroundings = contextvars.copy_context()
    thread = threading.Thread(
        target=surroundings.run, args=(run,), name="pgflow-handler", daemon=True
    )
    thread.start()
    thread.join(timeout)
    return ended[0] if ended else None


def _as_step_error(error: BaseException, said: str) -> StepError:
    """Return the error with a message that says whose it is; what it asks for stays."""
    match error:
        case RetryAfter():
            return RetryAfter(error.seconds, said)
        case FailedOnPurpose():
            return error
        case NonRetryable():
            return NonRetryable(said)
        case _:
            return HandlerFailed(said)


def _typed_input(handler: Handler, value: Any, subject: str) -> Any:
    text = json.dumps(value)
    if handler.input_adapter is None:
        # One of its own: what the handler does to it changes nothing that is known of the step.
        return json.loads(text)
    try:
        # As JSON, so that a strict model takes a date from its text.
        return handler.input_adapter.validate_json(text)
    except ValidationError as error:
        raise NonRetryable(f"{subject} cannot take its input: {_first(error)}") from None


def _json_output(handler: Handler, returned: Any, subject: str) -> Any:
    try:
        if handler.output_adapter is not None:
            returned = _dump(handler.output_adapter, returned)
        return to_json(returned)
    except ValidationError as error:
        raise HandlerFailed(
            f"{subject} returned a value that breaks its own type: {_first(error)}"
        ) from None
    except ValueNotJson as error:
        raise HandlerFailed(f"{subject} returned no JSON. {error}") from None
    except Exception as error:
        # The code of models runs here, and pydantic has errors of its own for what it cannot write.
        raise HandlerFailed(
            f"{subject} returned a value that cannot be written as JSON: {said(error)}"
        ) from error


def _dump(adapter: TypeAdapter[Any], returned: Any) -> Any:
    return adapter.dump_python(adapter.validate_python(returned), mode="json", by_alias=True)


def _subject(handler: Handler, rank: Rank, context: StepContext) -> str:
    return (
        f'Handler "{handler.name}" {rank} step "{context.task_path}"'
        f' (flow "{context.flow_slug}", attempt {context.attempt})'
    )


def _first(error: ValidationError) -> str:
    details = error.errors()[0]
    where = ".".join(str(part) for part in details["loc"]) or "$"
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    return f"{where}: {details['msg']}{more}."
