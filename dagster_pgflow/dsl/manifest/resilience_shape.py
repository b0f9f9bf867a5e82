"""What a manifest says about how failures of a cell are met, as options of a step."""

from collections.abc import Mapping
from typing import Any, Final, get_args

from dagster_pgflow.dsl.manifest.forms import Atom, Form
from dagster_pgflow.dsl.manifest.manifest import Resilience
from dagster_pgflow.dsl.manifest.shapes import Flag, Shape, Text, Whole, Word, is_map
from dagster_pgflow.dsl.manifest.shapes_of_many import Either, Field, Record
from dagster_pgflow.model.options import Jitter

SECOND: Final = 1_000
"""Milliseconds."""

PERCENT: Final = 100

MILLISECONDS: Final = Whole(least=SECOND, step=SECOND)
"""Guards count in seconds: what they could not keep is refused, and never rounded."""

SECONDS: Final = Whole(least=0)
KEY: Final = Field(
    Text(), "Whose calls are counted together; those of the cell, if nothing is said.", "bank"
)


def _or_defaults(record: Record) -> Either:
    """Return what is an object, or `true` for one with nothing but defaults."""

    def chosen(form: Form) -> Shape | None:
        match form:
            case Atom(value=True):
                return Flag()
            case _:
                return record if is_map(form) else None

    return Either(chosen, (record, Flag()), f"{record.what}, or true")


TIMEOUT: Final = Record(
    "a timeout",
    {
        "timeout-ms": Field(
            Whole(), "Milliseconds that one attempt may take.", 5_000, is_required=True
        )
    },
)

RETRY: Final = Record(
    "a retry",
    {
        "max-attempts": Field(Whole(), "How often the cell is tried.", 3),
        "base-delay": Field(SECONDS, "Half of the seconds before the second attempt.", 5),
        "max-delay": Field(SECONDS, "Seconds that no wait is longer than.", 60),
        "jitter": Field(Word(get_args(Jitter)), "Whether waits are drawn at random.", "full"),
    },
    meant={"wait-ms": "base-delay", "wait-duration": "base-delay", "attempts": "max-attempts"},
)

CIRCUIT_BREAKER: Final = Record(
    "a circuit breaker",
    {
        "key": KEY,
        "failure-rate": Field(
            Whole(most=PERCENT), "Percent of failed calls from which on it opens.", 50
        ),
        "window": Field(Whole(), "How many of the last calls count.", 100),
        "min-calls": Field(Whole(), "With fewer calls nothing is judged.", 10),
        "open-seconds": Field(Whole(), "For how long it stays open.", 60),
        "half-open-calls": Field(Whole(), "How many calls then try whether it may close.", 3),
        "wait-in-open-ms": Field(
            MILLISECONDS, "The same as open-seconds, in milliseconds.", 60_000
        ),
    },
    also={"minimum-calls": "min-calls", "sliding-window-size": "window"},
)

BULKHEAD: Final = Record(
    "a bulkhead",
    {
        "key": KEY,
        "max-concurrent": Field(Whole(), "How many calls may be under way at once.", 25),
        "max-wait-seconds": Field(SECONDS, "How long a call waits for its turn.", 5),
        "max-wait-ms": Field(Whole(least=0, step=SECOND), "The same in milliseconds.", 5_000),
    },
)

RATE_LIMITER: Final = Record(
    "a rate limiter",
    {
        "key": KEY,
        "calls": Field(Whole(), "How many calls may begin in each period.", 50),
        "per-ms": Field(Whole(), "How long a period is.", 500),
        "max-wait-seconds": Field(SECONDS, "How long a call waits for its turn.", 5),
        "timeout-ms": Field(Whole(least=0, step=SECOND), "The same in milliseconds.", 5_000),
    },
    also={"limit-for-period": "calls", "limit-refresh-period-ms": "per-ms"},
)


def _timeout(form: Form) -> Shape | None:
    return TIMEOUT if is_map(form) else Whole()


RESILIENCE: Final = Record(
    "the resilience of a cell",
    {
        "timeout": Field(
            Either(_timeout, (Whole(), TIMEOUT), "milliseconds"),
            "Milliseconds that one attempt may take.",
            5_000,
        ),
        "retry": Field(RETRY, "How often the cell is tried.", {"max-attempts": 3}),
        "circuit-breaker": Field(
            _or_defaults(CIRCUIT_BREAKER),
            "Lets no call through for a while once too many of the last ones failed.",
            {"failure-rate": 50},
        ),
        "bulkhead": Field(
            _or_defaults(BULKHEAD), "Lets so many calls be under way at once.", example=True
        ),
        "rate-limiter": Field(
            _or_defaults(RATE_LIMITER), "Lets so many calls begin in each period.", {"calls": 50}
        ),
    },
)

IN_SECONDS: Final[Mapping[str, str]] = {
    "wait-in-open-ms": "open_seconds",
    "max-wait-ms": "max_wait_seconds",
    "timeout-ms": "max_wait_seconds",
}
"""What is said in milliseconds, of whole seconds."""


def resilience_of(read: Mapping[str, Any]) -> Resilience:
    """Return what was read as options of a step.

    Args:
        read: What `RESILIENCE` read.
    """
    timeout = read.get("timeout")
    return Resilience(
        timeout_ms=timeout.get("timeout-ms") if isinstance(timeout, Mapping) else timeout,
        retry=_options(read.get("retry")),
        circuit_breaker=_options(read.get("circuit-breaker")),
        bulkhead=_options(read.get("bulkhead")),
        rate_limiter=_options(read.get("rate-limiter")),
    )


def _options(read: Any) -> dict[str, object] | None:
    """Return an object in the words of the options of a step."""
    if read is None or read is False:
        return None
    given: Mapping[str, Any] = {} if read is True else read
    options: dict[str, object] = {}
    for name, value in given.items():
        if name in IN_SECONDS:
            options.setdefault(IN_SECONDS[name], value // SECOND)
        else:
            options[name.replace("-", "_")] = value
    return options
