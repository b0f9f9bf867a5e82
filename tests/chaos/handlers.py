"""Handlers that write down what they did, in a place that no kill reaches."""

import json
import os
import time
from pathlib import Path
from typing import Any

from dagster_pgflow import StepContext, handler

EFFECTS = "PGFLOW_CHAOS_EFFECTS"
WORK_S = 0.2


def effect(ctx: StepContext, value: Any) -> None:
    """Writes down that a task does what may be done once for each attempt.

    In a file, for which no process must live but this one; a line is written whole or not at all.
    """
    told = {
        "key": ctx.idempotency_key,
        "run_id": ctx.run_id,
        "step_path": ctx.step_path,
        "task_index": ctx.task_index,
        "attempt": ctx.attempt,
        "value": value,
        "pid": os.getpid(),
    }
    line = json.dumps(told) + "\n"
    file = os.open(Path(os.environ[EFFECTS]), os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        os.write(file, line.encode())
    finally:
        os.close(file)


@handler("chaos.numbers")
def numbers(given: dict[str, Any], ctx: StepContext) -> list[int]:
    """Returns as many numbers as the input says."""
    effect(ctx, given)
    return [given["first"] + index for index in range(given["count"])]


@handler("chaos.double")
def double(value: int, ctx: StepContext) -> int:
    """Doubles a number, slowly enough to be killed over it."""
    time.sleep(WORK_S)
    effect(ctx, value)
    time.sleep(WORK_S)
    return value * 2


@handler("chaos.double_again")
def double_again(given: dict[str, int], ctx: StepContext) -> int:
    """Doubles what the step before has doubled."""
    effect(ctx, given)
    return given["one"] * 2


@handler("chaos.shaky")
def shaky(value: int, ctx: StepContext) -> int:
    """Doubles a number at the second attempt."""
    effect(ctx, value)
    if ctx.attempt == 1:
        raise ValueError("never at once")
    return value * 2


@handler("chaos.total")
def total(given: Any, ctx: StepContext) -> int:
    """Adds up whatever numbers there are in what arrives."""
    effect(ctx, given)
    return _sum(given)


@handler("chaos.grow")
def grow(given: dict[str, Any], ctx: StepContext) -> dict[str, int]:
    """Counts the passes of a loop."""
    time.sleep(WORK_S)
    effect(ctx, given)
    return {"passes": ctx.iteration}


def _sum(value: Any) -> int:
    match value:
        case int():
            return value
        case list():
            return sum(map(_sum, value))
        case dict():
            return sum(map(_sum, value.values()))
        case _:
            return 0
