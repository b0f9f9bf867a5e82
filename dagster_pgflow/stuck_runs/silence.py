"""What a silent run is: at work, waiting, over, or dead? Decisions alone, free of Dagster."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, assert_never

from dagster_pgflow.dagster_log.run_events import RunPhase
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.options import retry_policy_of
from dagster_pgflow.settings import StuckThresholds

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


@dataclass(frozen=True, slots=True)
class SignsOfLife:
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


def verdict_by_phase(phase: RunPhase | None) -> Verdict | None:
    """Return what a run is when its status says it; `None` when one has to look closer.

    Args:
        phase: Where Dagster says that it is; `None` when it does not know the run any more.
    """
    match phase:
        case None | "over":
            return "over"
        case "waiting":
            return "waits"
        case "under_way":
            return None
        case _:
            assert_never(phase)


def verdict_by_signs(signs: SignsOfLife, thresholds: StuckThresholds) -> Verdict:
    """Return what a run is that Dagster calls under way.

    Args:
        signs: What is known of it.
        thresholds: How long a run may be silent.
    """
    if signs.silence < thresholds.stuck_after:
        return "lives"
    spoken_by_now = signs.longest_silence + thresholds.stuck_after
    is_lost = signs.silence >= max(thresholds.lost_after, spoken_by_now)
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
    step has, each for as long as its timeout. Delays stand in the log beforehand.

    Args:
        flows: The flow and those that it contains.
        tasks: How many tasks the largest step has.
    """
    timeouts = (
        retry_policy_of(flow.options, step.options).timeout
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
    says = f" ({worker_says})" if worker_says else ""
    return f"Timed out: nothing has happened in the run since {since}, and {what}{says}."
