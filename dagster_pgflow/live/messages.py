"""What the processes of a live worker say to each other: one datagram each, as JSON."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, get_args


@dataclass(frozen=True)
class Wake:
    """To a child: something may be waiting."""


@dataclass(frozen=True)
class Bury:
    """To a child: the process of a run is gone; see to it that the run ends, or begins anew.

    Attributes:
        dagster_run_id: The run.
        reason: Why the process is gone, for people.
    """

    dagster_run_id: str
    reason: str


@dataclass(frozen=True)
class Leave:
    """To a child: leave a request, or a run that is to go on, since processes die of claiming it.

    A request is left to Dagster's queue, a run that is to go on is tried again later.

    Attributes:
        run_id: The request, or the run.
        number: How often the run has gone on with that; 0 for a request.
    """

    run_id: str
    number: int = 0


@dataclass(frozen=True)
class Hot:
    """To the template: a flow was run, and may be run again.

    Attributes:
        flow_slug: The flow.
        watermark: At which watermark.
    """

    flow_slug: str
    watermark: int


@dataclass(frozen=True)
class Ready:
    """From the template: it serves, or has nothing to serve.

    Attributes:
        code_location: The name of the code location.
        locations: How many code locations there are to serve, of which it has one.
        has_flows: Whether the code location has flows of ours.
        database_url: Where its store is; `None` where the environment says it.
        forks: Whether it forks. A code location that starts threads while it is imported cannot be
            forked: each process imports it then.
        seconds: How long it took.
    """

    code_location: str
    locations: int
    has_flows: bool
    database_url: str | None
    forks: bool
    seconds: float


@dataclass(frozen=True)
class Unusable:
    """From the template: it cannot serve.

    Attributes:
        reason: Why, for people.
    """

    reason: str


@dataclass(frozen=True)
class Claiming:
    """From a child: it is about to make a Dagster run, which takes the flow's definition.

    Attributes:
        process_id: The child.
        run_id: The request, or the run that is to go on.
        number: How often the run has gone on with that; 0 for a request.
    """

    process_id: int
    run_id: str
    number: int = 0


@dataclass(frozen=True)
class Began:
    """From a child: it has a run.

    Attributes:
        process_id: The child.
        dagster_run_id: The run.
        run_id: Its request, if it comes from one.
        flow_slug: The flow.
        watermark: The version of its tree.
        waited_s: Seconds since it was asked for.
    """

    process_id: int
    dagster_run_id: str
    run_id: str | None
    flow_slug: str
    watermark: int
    waited_s: float


@dataclass(frozen=True)
class Ended:
    """From a child: a run is over, and its rows are written.

    Attributes:
        process_id: The child.
        dagster_run_id: The run.
        run_id: Its request, if it comes from one.
        flow_slug: The flow.
        status: How it ended, by Dagster's word.
        seconds: How long it took.
    """

    process_id: int
    dagster_run_id: str
    run_id: str | None
    flow_slug: str
    status: str
    seconds: float


@dataclass(frozen=True)
class Trouble:
    """From a child: something went wrong that is no run's own.

    Attributes:
        process_id: The child.
        reason: What, for people.
    """

    process_id: int
    reason: str


@dataclass(frozen=True)
class Died:
    """From the template: a child has ended.

    Attributes:
        process_id: The child.
        exit_code: Its exit code, or the negative number of the signal that ended it.
    """

    process_id: int
    exit_code: int


@dataclass(frozen=True)
class Born:
    """From the template: a child has begun.

    Attributes:
        process_id: The child.
    """

    process_id: int


@dataclass(frozen=True)
class Said:
    """From any process: what it logs.

    Attributes:
        process_id: The process.
        level: How grave it is, as a number of Python's logging.
        logger: Whose word it is.
        text: What it says.
    """

    process_id: int
    level: int
    logger: str
    text: str


@dataclass(frozen=True)
class Imported:
    """From the template: files of the code location that its import has read, or some of them.

    Attributes:
        files: Their paths.
    """

    files: Sequence[str]


Order = Wake | Bury | Leave | Hot
"""What the supervisor says."""

Report = Ready | Unusable | Claiming | Began | Ended | Trouble | Died | Born | Said | Imported
"""What the supervisor is told."""

Message = Order | Report

_KINDS: Final[dict[str, type[Message]]] = {kind.__name__: kind for kind in get_args(Message)}


class StrangeMessage(ValueError):
    """Something that no process of this version says."""


def to_bytes(message: Message) -> bytes:
    """Return a message as it travels."""
    return json.dumps([type(message).__name__, asdict(message)]).encode()


def from_bytes(data: bytes) -> Message:
    """Return the message that travelled.

    Raises:
        StrangeMessage: It is none of this version.
    """
    try:
        name, fields = json.loads(data)
        made: Any = _KINDS[name](**fields)
    except (ValueError, KeyError, TypeError) as error:
        raise StrangeMessage(f"Nobody knows what {data[:100]!r} means.") from error
    message: Message = made
    return message
