"""What the handlers of drawn flows do: once for the reference, once as real handlers.

Each does what its parameters say and nothing that differs from one run to the next. Every real
call is noted, so that the two can be compared call by call.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from dagster_pgflow.step_errors import NonRetryable, RetryAfter
from tests.reference.working import Call, Handlers, TookTooLong


class Refused(Exception):
    """What handlers raise here."""


def echo(value: Any) -> Any:
    """Hand on what comes in."""
    return value


def pluck(value: Any) -> Any:
    """Hand on one of the dependencies' outputs, or whatever comes in, so that lists flow on."""
    return value[min(value)] if isinstance(value, dict) and value else value


def listed(value: Any) -> list[Any]:
    """Return a list about what comes in."""
    match value:
        case list():
            return value[:3]
        case dict():
            return [value[key] for key in sorted(value)]
        case _:
            return [value, value]


def boxed(value: Any) -> dict[str, Any]:
    """Return an object with what comes in."""
    return {"a": value, "ok": True}


def picky(value: Any) -> Any:
    """Refuse what is empty, null, zero or false."""
    if not value:
        raise Refused(f"{value!r} is nothing")
    return value


def keyed(value: Any) -> list[str]:
    """Return the keys of an object, and take nothing else."""
    if not isinstance(value, dict):
        raise NonRetryable("no object")
    return sorted(value)


def give(call: Call) -> Any:
    """Return what the definition says."""
    return call.params["value"]


def about(call: Call) -> Any:
    """Return what a handler can know of its place."""
    return [call.step_path, call.flow_slug, call.index, call.attempt, call.flow_input]


def flaky(call: Call) -> Any:
    """Fail some elements some times in one of several ways, then give what the definition says.

    Elements further behind may fail more often, so that those of one batch end at different times.
    """
    params = call.params
    hit = params["at"] is None or call.index % 3 in params["at"]
    if not hit or call.attempt > params["failures"] + params["more"] * (call.index // 3):
        return params.get("value", call.value)
    match how_of(call):
        case "raises":
            raise Refused("as told")
        case "retry_after":
            raise RetryAfter(call.index % 2 * 4000.5)
        case "final":
            raise NonRetryable("as told")
        case "too_long":
            raise TookTooLong
        case "no_json":
            return {"deep": [float("nan")]}
        case _:
            return "a\0b"


def how_of(call: Call) -> str:
    """Return in which way an element fails: those of one batch may have different ones."""
    hows: list[str] = call.params["how"]
    return hows[call.index % len(hows)]


PLAIN: dict[str, Callable[[Any], Any]] = {
    "echo": echo,
    "pluck": pluck,
    "listed": listed,
    "boxed": boxed,
    "picky": picky,
    "keyed": keyed,
    # A flow's own handler for a step of this name goes before the one for all.
    "top.echo": lambda value: ["own", value],
}
KNOWING: dict[str, Callable[[Call], Any]] = {"give": give, "about": about, "flaky": flaky}
BAD_OUTPUTS = ("no_json", "nul")


def reference_handlers() -> Handlers:
    """Return the handlers for the reference, which sees the last word: failed or not."""

    def refusing_bad_output(call: Call) -> Any:
        output = flaky(call)
        if how_of(call) in BAD_OUTPUTS and _is_bad(output):
            raise Refused("no JSON")
        return output

    plain = {name: _of_value(function) for name, function in PLAIN.items()}
    return {**plain, **KNOWING, "flaky": refusing_bad_output}


def _of_value(function: Callable[[Any], Any]) -> Callable[[Call], Any]:
    return lambda call: function(call.value)


def _is_bad(output: Any) -> bool:
    return "NaN" in json.dumps(output) or "\\u0000" in json.dumps(output)


@dataclass
class Notes:
    """Real handlers that note every call.

    Attributes:
        calls: The calls so far; a handler without context does not know its place.
        keys: The idempotency key of each task that was called, by step path and index.
        seen: What handlers see of a value: all of it, or what does not differ from run to run.
    """

    calls: list[tuple[Any, ...]] = field(default_factory=list)
    keys: dict[tuple[str, int], set[str]] = field(default_factory=dict)
    seen: Callable[[Any], Any] = echo

    def handlers(self) -> dict[str, Callable[..., Any]]:
        """Return the handlers by name, some of them coroutines, some typed."""
        made: dict[str, Callable[..., Any]] = {
            name: self._plain(name, function) for name, function in PLAIN.items()
        }
        made |= {name: self._knowing(name, function) for name, function in KNOWING.items()}
        return {**made, "pluck": self._coroutine(made["pluck"]), "keyed": self._typed()}

    def _plain(self, name: str, function: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def handler(value: Any) -> Any:
            self.calls.append((name, self.seen(value)))
            return function(self.seen(value))

        return handler

    def _knowing(self, name: str, function: Callable[[Call], Any]) -> Callable[[Any, Any], Any]:
        def handler(value: Any, ctx: Any) -> Any:
            call = Call(
                name,
                self.seen(value),
                self.seen(ctx.flow_input),
                ctx.flow_slug,
                ctx.step_path,
                ctx.task_index,
                ctx.attempt,
                ctx.params,
            )
            self.calls.append(noted(call))
            task = (call.step_path, call.index)
            self.keys.setdefault(task, set()).add(ctx.idempotency_key)
            return function(call)

        return handler

    def _typed(self) -> Callable[[dict[str, Any]], list[str]]:
        def handler(value: dict[str, Any]) -> list[str]:
            self.calls.append(("keyed", self.seen(value)))
            return keyed(value)

        return handler

    @staticmethod
    def _coroutine(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
        async def handler(value: Any) -> Any:
            return function(value)

        return handler


def noted(call: Call) -> tuple[Any, ...]:
    """Return what is noted of a call: all of it, or for a plain handler its input alone."""
    if call.handler in PLAIN:
        return call.handler, call.value
    place = (call.step_path, call.index, call.attempt)
    return call.handler, call.value, call.flow_input, call.flow_slug, *place, dict(call.params)


def reached(call: Call) -> bool:
    """Return whether a call reaches the handler's code: its type hint may refuse the input."""
    return call.handler != "keyed" or isinstance(call.value, dict)
