"""What a start of a Dagster step came to, as far as that is known: it decides what the start says.

Dagster starts a step whenever its op runs. Whether tasks were tried then, and which, only the next
report of that step tells.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from dagster_pgflow.model.run_state import SkipReason
from dagster_pgflow.projection.sightings import Sighting

Outcome = Mapping[str, Any]


def with_outlook(sightings: Iterable[Sighting]) -> list[tuple[Sighting, Outcome | None]]:
    """Return sightings in their order, each start with what the step reported next.

    Starts that only showed that it is too early are left out.

    Args:
        sightings: What Dagster saw, in order.
    """
    ahead: dict[str, Outcome | None] = {}
    seen: list[tuple[Sighting, Outcome | None]] = []
    for sighting in reversed(list(sightings)):
        outlook = None
        match sighting.kind:
            case "started":
                outlook = ahead.get(sighting.step_key)
                if outlook is not None and outlook["status"] == "delayed":
                    continue
            case "reported" | "succeeded" | "failed" | "retrying":
                ahead[sighting.step_key] = sighting.outcome
        seen.append((sighting, outlook))
    return seen[::-1]


def tried(outlook: Outcome | None, indexes: range, attempt: int) -> Collection[int]:
    """Return the indexes of the tasks that an execution of a Dagster step tries.

    Args:
        outlook: What it reported, if it has.
        indexes: All tasks that the Dagster step works on.
        attempt: Which attempt it is.
    """
    if outlook is None:
        return indexes
    # A report that is the last one has every task, with the attempts that each took.
    return [
        report["index"]
        for report in outlook.get("tasks", ())
        if not report.get("reused") and report["attempts"] >= attempt
    ]


def error_of(sighting: Sighting) -> str:
    """Return what went wrong, by Dagster's word or else by the step's own."""
    told: str | None = (sighting.outcome or {}).get("error")
    return sighting.error or told or "unknown error"


def told_by(sighting: Sighting, outcome: Outcome, name: str) -> dict[str, Any]:
    """Return what a helper op put together, or else where that is stored."""
    return {name: outcome["output"]} if "output" in outcome else {"output_of": sighting.step_key}


def picked(outcome: Outcome, *names: str) -> dict[str, Any]:
    """Return what an outcome says under some names, as far as it does."""
    return {name: outcome[name] for name in names if name in outcome}


def skip_of(outcome: Outcome, path: str) -> tuple[SkipReason, str] | None:
    """Return why a step was skipped, and the step where that began, if it was."""
    if outcome["status"] != "skipped":
        return None
    return outcome["skip_reason"], outcome.get("skipped_step", path)


def dead_ends_in(outcome: Outcome | None, path: str | None) -> set[str]:
    """Return the steps behind which a way ends, as an op that skipped its step reports it."""
    if not outcome or not outcome.get("ends_way"):
        return set()
    return {outcome["skipped_step"]} | ({path} if path else set())
