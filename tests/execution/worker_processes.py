"""A job for the processes of the multiprocess executor, and handlers that leave traces in a folder.

Each process of a run calls `flow_job` anew; what it must know comes from the environment.
"""

import os
from pathlib import Path
from typing import Any

import dagster as dg

from dagster_pgflow.location.location import Location
from dagster_pgflow.runtime.context import StepContext

URL = "PGFLOW_TEST_WORKER_DATABASE"
FLOW = "PGFLOW_TEST_WORKER_FLOW"
TRACES = "PGFLOW_TEST_WORKER_TRACES"


def flow_job() -> dg.JobDefinition:
    """Returns the job of the flow that the environment names, with a process for each step."""
    executor = dg.multiprocess_executor.configured({"max_concurrent": 2})
    location = Location(
        {
            "handlers": [{"echo": echo, "many": many, "odd_ones_fail_once": odd_ones_fail_once}],
            "database_url": os.environ[URL],
            "executor": executor,
            "spill_to": os.environ[TRACES] + "/spilled",
        }
    )
    return location.job(os.environ[FLOW])


def echo(value: Any) -> Any:
    return value


def many(value: Any) -> list[int]:
    return list(range(5))


def odd_ones_fail_once(value: int, ctx: StepContext) -> Any:
    """Leave a trace of each try, and fail the first one of an odd number."""
    trace = Path(os.environ[TRACES]) / f"{value}-{ctx.attempt}-{os.getpid()}"
    trace.touch(exist_ok=False)
    if value % 2 and ctx.attempt == 1:
        raise ValueError(f"{value} is odd")
    with ctx.resources.pgflow.database.transaction() as transaction:
        [row] = transaction.run_sql("select cast(:value as int) * 10 as tenfold", value=value)
    return row["tenfold"]
