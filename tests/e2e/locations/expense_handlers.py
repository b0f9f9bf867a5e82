"""What the steps of expenses do; each writes down that it was called, where no kill reaches."""

import json
import os
import time
from pathlib import Path
from typing import Any

from dagster_pgflow import StepContext, handler

FOLDER = "PGFLOW_EXPENSES"
"""The variable that names where `calls` are written down, and where the `gate` is looked for."""


def note(ctx: StepContext) -> None:
    """Writes down a call; a line is written whole or not at all."""
    line = json.dumps([ctx.run_id, ctx.step_path]) + "\n"
    file = os.open(Path(os.environ[FOLDER]) / "calls", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        os.write(file, line.encode())
    finally:
        os.close(file)


@handler("expense.read")
def read(form: dict[str, Any], ctx: StepContext) -> dict[str, Any]:
    """Returns what the form says, once the gate is open."""
    note(ctx)
    while not (Path(os.environ[FOLDER]) / "gate").exists():
        time.sleep(0.05)
    return {"cents": form["cents"], "name": form["name"]}


@handler("expense.end")
def end(_given: dict[str, Any], ctx: StepContext) -> str:
    """Returns what was done: the name of the step."""
    note(ctx)
    return ctx.step_slug
