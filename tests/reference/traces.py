"""What a failure step receives about the step that failed."""

import json
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from dagster_pgflow.model.steps import Step, SubflowStep
from tests.reference.endings import SOME_TIME, WHY, Failure, StepEnd

MOST_BYTES = 4096
SENTENCE = re.compile(r'(step|flow) \\*"', re.IGNORECASE)
"""What all sentences have that say why something failed, quoted in others too."""

MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


def told_of(step: Step, failure: Failure, child: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a failure step finds under the slug of the step that failed.

    Args:
        step: The step that failed.
        failure: What is known of that.
        child: What is told of a subflow.
    """
    if isinstance(step, SubflowStep):
        return dict(child)
    return {"error": WHY, "step": failure.cell, **_special(step, failure)}


def laid_over_received(step: Step, failure: Failure) -> dict[str, Any]:
    """Return what a failure step receives that merges its input."""
    error = {"error": {"cell": failure.cell, "message": WHY}}
    return {**(failure.received or {}), **(_special(step, failure) or error)}


def _special(step: Step, failure: Failure) -> dict[str, Any]:
    if failure.members:
        return {"join-error": [{"cell": slug, "message": WHY} for slug in failure.members]}
    takes_timeouts = getattr(step, "on_timeout", None) is not None
    return {"timeout": True} if failure.timed_out and takes_timeouts else {}


def failure_data(
    path: str,
    steps: Mapping[str, StepEnd],
    containers: Collection[str],
    failed_items: Collection[str],
) -> dict[str, Any]:
    """Return `{error, child_trace}`, the trace in the order of names and without times.

    Args:
        path: The path of the subflow step.
        steps: The steps that have ended in this run, by path.
        containers: Those of them that contain others: subflows and loops.
        failed_items: Those of the items that failed, such as `each[3]`, where the flow inside runs
            for each item of a list.
    """
    return {"error": WHY, "child_trace": list(trace_of(path, steps, containers, failed_items))}


def trace_of(
    path: str,
    steps: Mapping[str, StepEnd],
    containers: Collection[str],
    failed_items: Collection[str],
    *,
    whole: bool = False,
) -> Iterator[dict[str, Any]]:
    """Yield `{step, status, output or error}` of the steps inside a subflow, in order of names.

    Args:
        path: The path of the subflow step, or of an item.
        steps: The steps that have ended in this run, by path.
        containers: Those of them that contain others: subflows and loops.
        failed_items: The items whose steps are listed, where there are any.
        whole: Whether long outputs are included, too.
    """
    for other in sorted(steps):
        end = steps[other]
        of_item = any(other.startswith(f"{item}.") for item in failed_items)
        if (
            end.status == "cancelled"
            or end.is_open
            or not (of_item or other.startswith(f"{path}."))
        ):
            continue
        if other in containers and not fails_by_itself(other, steps):
            continue
        entry = {"step": other.removeprefix(path).removeprefix("."), "status": end.status}
        if end.status == "failed":
            entry["error"] = WHY
        if end.status == "completed" and (whole or is_short(end.output, end.batches)):
            entry["output"] = end.output
        yield entry


def fails_by_itself(path: str, steps: Mapping[str, StepEnd]) -> bool:
    """Return whether a step failed, and nothing inside it did that the run does not go on from."""
    directly_inside = re.compile(re.escape(path) + r"(\[\d+\])?\.[^.]+")
    return steps[path].status == "failed" and not any(
        end.status == "failed" and not end.routed and directly_inside.fullmatch(other)
        for other, end in steps.items()
    )


def is_short(output: Any, batches: list[range]) -> bool:
    """Return whether the output of a step, or of each of its batches, is included."""
    if len(batches) < 2:
        return _size(output) <= MOST_BYTES
    return all(_size(output[batch.start : batch.stop]) <= MOST_BYTES for batch in batches)


def _size(value: Any) -> int:
    return len(json.dumps(value, ensure_ascii=False).encode())


def is_failure_data(value: Any) -> bool:
    """Return whether a value is what a failure step receives about a subflow."""
    return isinstance(value, dict) and value.keys() == {"error", "child_trace"}


def calm(value: Any) -> Any:
    """Return a value without what differs from run to run: times, their order, and sentences."""
    if is_failure_data(value):
        entries = sorted(value["child_trace"], key=lambda entry: str(entry["step"]))
        untimed = [{**entry} for entry in entries]
        for entry in untimed:
            entry.pop("duration_ms", None)
        return {"error": calm(value["error"]), "child_trace": calm(untimed)}
    match value:
        case str():
            return WHY if SENTENCE.search(value) else MOMENT.sub(SOME_TIME, value)
        case list():
            return [calm(item) for item in value]
        case dict():
            return {key: calm(item) for key, item in value.items()}
        case _:
            return value
