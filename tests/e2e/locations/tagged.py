"""A third store in the same Dagster, most of whose flows are no jobs."""

import os
import time
from pathlib import Path
from typing import Any

from dagster_pgflow import StepContext, build_repository, handler
from dagster_pgflow.examples import handlers
from tests.e2e.locations import payments

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


tagged = build_repository(
    name="tagged",
    jobs="tagged",
    handlers=[handlers, payments, wait_for_file],
    database_url=os.environ["PGFLOW_TAGGED_URL"],
)
