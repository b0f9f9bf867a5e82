"""The code location that the live workers of these tests serve."""

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

from dagster_pgflow import StepContext, build_definitions


def double(given: Any) -> Any:
    return {"twice": given["n"] * 2} if isinstance(given, dict) else given * 2


def hold(_given: Any, ctx: StepContext) -> Any:
    """Says that it is at work, and works until a file is there."""
    files = ctx.flow_input
    Path(files["begun"]).write_text(str(os.getpid()))
    while not Path(files["until"]).exists():
        time.sleep(0.01)
    return "held"


def die(given: Any) -> Any:
    """Takes the process away, as the kernel does when memory runs out."""
    os.kill(os.getpid(), signal.SIGKILL)


def die_at_first(given: Any, ctx: StepContext) -> Any:
    """Does so when it is called for the first time."""
    begun = Path(ctx.flow_input["begun"])
    if not begun.exists():
        begun.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return {"attempt": ctx.attempt}


def where(given: Any) -> Any:
    return os.getpid()


def numbers(given: Any) -> Any:
    return list(range(given["n"]))


def note(given: Any, ctx: StepContext) -> Any:
    """Says what it was given, on a line of a file."""
    with Path(ctx.flow_input["notes"]).open("a") as notes:
        notes.write(json.dumps(given["ask"]) + "\n")
    return "noted"


defs = build_definitions(
    handlers=[{f.__name__: f for f in (double, hold, die, die_at_first, where, numbers, note)}],
    job_prefix="flow_",
)
