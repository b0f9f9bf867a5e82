"""What became of a run and of each of its steps, in lines for people."""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, Final, assert_never

from dagster_pgflow.in_process.result import FlowResult, StepResult, TakenEdge, TaskResult

_SHOWN: Final = 300
"""Characters of a value or an error."""

_RAISED: Final = re.compile(r'^Handler "[^"]+" of step "[^"]+" \(flow "[^"]+", [^)]+\) raised ')

_MOST_ATTEMPTS: Final = 20
"""Of a step: a map step may have thousands."""


def explanation(result: FlowResult) -> str:
    """Return what became of a run, of each step and each attempt, and which route it took."""
    why = f": {result.error}" if result.error else ""
    lines = [f'Flow "{result.flow_slug}" is {result.status}{why}']
    for step in result.steps.values():
        lines.append(f"  {_line(step)}")
        lines += [f"    {line}" for line in _attempts(result.tasks.get(step.path, ()), step)]
        lines += [f"    {one.told}" for one in result.conditions if one.path == step.path]
    route = ", ".join(_way(edge, result) for edge in result.route)
    return "\n".join([*lines, f"  route: {route}", *(f"  {one}" for one in result.warnings)])


def passed(result: FlowResult) -> list[str]:
    """Return the steps that a run came to, in this order: through them, or to its halt in them."""
    found: list[str] = []
    left = ""
    for edge in result.route:
        if edge.start != left and edge.start in result.steps:
            found.append(edge.start)
        left = edge.start
        if _halt(edge.end, result) in ("waits", "failed"):
            found.append(edge.end)
    return found


def missed(steps: Sequence[str], result: FlowResult) -> str | None:
    """Return the step that a run did not go through where it should have, as a clause.

    Args:
        steps: Those that it should have come to in this order; others may lie between them.
        result: What became of it.
    """
    left = iter(passed(result))
    for index, path in enumerate(steps):
        if path not in left:
            after = f" after {steps[index - 1]}" if index else ""
            return f'did not go through "{path}"{after}'
    return None


def shown(value: Any) -> str:
    """Return a value as JSON, of a long one the beginning."""
    try:
        text = json.dumps(value)
    except (TypeError, ValueError):
        text = repr(value)
    return _shortened(text)


def _way(edge: TakenEdge, result: FlowResult) -> str:
    halt = _halt(edge.end, result)
    return f"{edge} ({halt})" if halt else str(edge)


def _halt(path: str, result: FlowResult) -> str:
    """Return why a run that came to a step has not left it."""
    step = result.steps.get(path)
    if step is None:
        return ""
    match step.status:
        case "waiting":
            return "waits"
        case "failed":
            return "failed"
        case "created":
            return "not begun"
        case "started" | "completed" | "skipped" | "cancelled":
            return ""
        case _:
            assert_never(step.status)


def _line(step: StepResult) -> str:
    told = [f"{step.path}: {step.status}"]
    if step.reason is not None:
        behind = step.left_out_by or (step.skipped_by,)
        by = " and ".join(one for one in behind if one not in (None, step.path))
        told.append(f"{step.reason} (by {by})" if by else step.reason)
    if step.error is not None:
        told.append(_shortened(step.error))
    if step.waiting_for is not None:
        told.append(f"waits for {_shortened(step.waiting_for)}")
    if step.status == "completed":
        told.append(shown(step.output))
    return ", ".join(told)


def _attempts(tasks: tuple[TaskResult, ...], step: StepResult) -> Iterator[str]:
    """Yield the attempts of a step's tasks that were tried again, or that failed alone."""
    lines = [
        _attempt(task, number, step)
        for task in tasks
        if len(task.attempts) > 1 or (task.status == "failed" and step.step_type == "map")
        for number in range(len(task.attempts))
    ]
    yield from lines[:_MOST_ATTEMPTS]
    if len(lines) > _MOST_ATTEMPTS:
        yield f"… and {len(lines) - _MOST_ATTEMPTS} attempts more"


def _attempt(task: TaskResult, number: int, step: StepResult) -> str:
    attempt = task.attempts[number]
    element = f"element {task.task_index}, " if step.step_type == "map" else ""
    told = f"{element}attempt {attempt.number}: {attempt.status}"
    # Where it was raised stands around it.
    error = _RAISED.sub("", attempt.error or "")
    told += f", {_shortened(error)}" if error else ""
    return told + (f"; the next {attempt.delay:g} s later" if attempt.delay else "")


def _shortened(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN else f"{line[:_SHOWN]} …"
