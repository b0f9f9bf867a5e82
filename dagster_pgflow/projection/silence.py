"""What a silent run is: at work, waiting, over, or dead? Pure decisions."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal, assert_never

import dagster as dg

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.options import effort_of
from dagster_pgflow.settings import Patience

Worker = Literal["alive", "dead", "unknown"]
"""What is known of the process that executes a run."""

Verdict = Literal["over", "lives", "waits", "dead", "lost"]
"""What a silent run is.

- `over`: it has ended, or is gone from Dagster; only our rows do not know yet.
- `lives`: something of it is at work.
- `waits`: nothing of it need be at work, or it is somebody else's business for now.
- `dead`: it has begun, and its process is gone.
- `lost`: it is silent for longer than anything alive would be, and nobody can say more.
"""

_OVER: Final = (
    dg.DagsterRunStatus.SUCCESS,
    dg.DagsterRunStatus.FAILURE,
    dg.DagsterRunStatus.CANCELED,
)
UNDER_WAY: Final = (
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
)


@dataclass(frozen=True, slots=True)
class Signs:
    """What is known of a run that is under way.

    Attributes:
        silence: Seconds since the last thing that Dagster knows of it.
        worker: What is known of its process.
        is_monitored: Whether Dagster itself looks after a run whose process is gone.
        longest_silence: Seconds that something alive in it may be silent.
    """

    silence: float
    worker: Worker
    is_monitored: bool
    longest_silence: float


def verdict_by_status(status: dg.DagsterRunStatus | None) -> Verdict | None:
    """Return what a run is when its status says it; `None` when one has to look closer.

    A queued run waits for its turn, however long. What is managed elsewhere or suspended waits on
    purpose.

    Args:
        status: What Dagster says; `None` when it does not know the run any more.
    """
    if status is None or status in _OVER:
        return "over"
    return None if status in UNDER_WAY else "waits"


def verdict_by_signs(signs: Signs, patience: Patience) -> Verdict:
    """Return what a run is that Dagster calls under way.

    Args:
        signs: What is known of it.
        patience: How long a run may be silent.
    """
    if signs.silence < patience.stuck_after:
        return "lives"
    spoken_by_now = signs.longest_silence + patience.stuck_after
    is_lost = signs.silence >= max(patience.lost_after, spoken_by_now)
    match signs.worker:
        case "alive":
            return "lives"
        case "dead":
            # Dagster may bring it back with a new process, so it is given the time to.
            return "waits" if signs.is_monitored and not is_lost else "dead"
        case "unknown":
            return "lost" if is_lost else "waits"
        case _:
            assert_never(signs.worker)


def longest_silence(flows: Iterable[Flow], tasks: int) -> float:
    """Return for how many seconds something alive in a run may say nothing.

    One op says at its end what became of it; until then it may try as many tasks as the largest
    step has, each for as long as its timeout. Delays are told beforehand.

    Args:
        flows: The flow and those that it contains.
        tasks: How many tasks the largest step has.
    """
    timeouts = (
        effort_of(flow.options, step.options).timeout
        for flow in flows
        for step in flow.steps
        if step.type != "subflow"
    )
    return float(max(timeouts, default=0) * max(tasks, 1))


def ended_sentence(since: str, worker_says: str | None, *, is_dead: bool) -> str:
    """Return why a silent run was ended.

    Args:
        since: When the last thing happened in it.
        worker_says: What the run launcher says of its process.
        is_dead: Whether its process is known to be gone.
    """
    what = "its process is gone" if is_dead else "nobody can say whether its process lives"
    told = f" ({worker_says})" if worker_says else ""
    return f"Timed out: nothing has happened in the run since {since}, and {what}{told}."
