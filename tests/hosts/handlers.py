"""Handlers that say where they were called."""

import os
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dagster_pgflow import StepContext

FOLDER = "PGFLOW_TEST_FOLDER"
PATIENCE_S = 120
LARGE = 1_200_000


def folder() -> Path:
    """Returns the folder that all hosts have."""
    return Path(os.environ[FOLDER])


def note(ctx: StepContext) -> None:
    """Writes down where and for what a handler is called."""
    words = [socket.gethostname(), str(os.getpid()), str(ctx.idempotency_key), str(ctx.attempt)]
    with (folder() / "calls").open("a") as calls:
        calls.write(" ".join([ctx.run_id, ctx.task_path, *words]) + "\n")


def wait_for(seen: Callable[[], bool]) -> None:
    """Waits until something is seen; no handler waits for ever."""
    deadline = time.monotonic() + PATIENCE_S
    while not seen():
        if time.monotonic() > deadline:
            raise TimeoutError("It was not seen.")
        time.sleep(0.05)


def where(_value: Any, ctx: StepContext) -> str:
    """Returns which host calls it."""
    note(ctx)
    return socket.gethostname()


def anywhere(_value: Any, ctx: StepContext) -> str:
    """Ends when two hosts have called it, in whatever run."""
    note(ctx)

    def both() -> bool:
        lines = (folder() / "calls").read_text().splitlines()
        return len({line.split()[2] for line in lines if " anywhere " in line}) == 2

    wait_for(both)
    return socket.gethostname()


def everywhere(value: int, ctx: StepContext) -> dict[str, Any]:
    """Ends when two hosts have called it in this run; odd ones fail at their first attempt."""
    note(ctx)

    def both() -> bool:
        lines = (folder() / "calls").read_text().splitlines()
        mine = [line.split() for line in lines if line.startswith(f"{ctx.run_id} {ctx.step_path}[")]
        return len({words[2] for words in mine}) == 2

    wait_for(both)
    if value % 2 and ctx.attempt == 1:
        raise ValueError(f"{value} is odd")
    return {"host": socket.gethostname(), "pid": os.getpid(), "value": value * 10}


def gated(value: Any, ctx: StepContext) -> str:
    """Ends when somebody makes the file `open`."""
    note(ctx)
    wait_for((folder() / "open").exists)
    return socket.gethostname()


HANDLERS: dict[str, Callable[..., Any]] = {
    "numbers": lambda given: list(range(given["count"])),
    "where": where,
    "anywhere": anywhere,
    "everywhere": everywhere,
    "gated": gated,
    "large": lambda _given: "x" * LARGE,
    "length": lambda given: len(given["large"]),
}
