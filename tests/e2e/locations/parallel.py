"""A second store in the same Dagster, whose runs use a process for each step."""

import os
import time
from pathlib import Path
from typing import Any

import dagster as dg

from dagster_pgflow import StepContext, build_repository, handler
from dagster_pgflow.examples import handlers

PATIENCE_S = 360


@handler("wait_for_file")
def wait_for_file(given: Any, ctx: StepContext) -> Any:
    """Returns once the file that the flow's input names is there."""
    deadline = time.monotonic() + PATIENCE_S
    while not Path(ctx.flow_input["file"]).exists():
        if time.monotonic() > deadline:
            raise TimeoutError("The file never came.")
        time.sleep(0.1)
    return given


@handler("process_id")
def process_id(_given: Any) -> int:
    """Returns which process the step runs in."""
    return os.getpid()


parallel = build_repository(
    name="parallel",
    handlers=[handlers, wait_for_file, process_id],
    executor=dg.multiprocess_executor.configured(
        {
            "max_concurrent": 2,
            # Their processes need not import for themselves what takes longer than a step.
            "start_method": {"forkserver": {"preload_modules": ["dagster_pgflow.load_defs"]}},
        }
    ),
    database_url=os.environ["PGFLOW_PARALLEL_URL"],
)
