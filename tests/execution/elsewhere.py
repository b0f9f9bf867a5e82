"""Jobs for other processes: what a run needs to find its job again, and handlers with switches."""

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.execution.api import execute_run

from dagster_pgflow.location.location import Location
from dagster_pgflow.runtime.context import StepContext
from tests.execution.interrupted import going_on
from tests.execution.waiting_runs import further_run

FOLDER = "PGFLOW_TEST_FOLDER"
URL = "PGFLOW_TEST_DATABASE"
FLOW = "PGFLOW_TEST_FLOW"
EXECUTOR = "PGFLOW_TEST_EXECUTOR"
CONFIG = "PGFLOW_TEST_RUN_CONFIG"

IMPORTED_ONCE = ["dagster_pgflow.load_defs", "dagster_postgres", "psycopg2"]
"""What a process of a step need not import for itself: that takes much longer than the step."""


AT_ONCE = {"multiprocess": 0, "one_process_at_a_time": 1}
"""How many processes of steps there may be, by executor; with 0 as many as there are cores."""

GOES_ON = "goes on"
WAITED = "waited"
"""Says that a run goes on which waited: its Dagster runs are named before, oldest first."""


def flow_job() -> dg.JobDefinition:
    """Returns the job that the environment names."""
    wanted = os.environ.get(EXECUTOR, "in_process")
    executor = dg.in_process_executor
    if wanted in AT_ONCE:
        start = {"start_method": {"forkserver": {"preload_modules": IMPORTED_ONCE}}}
        executor = dg.multiprocess_executor.configured(start | {"max_concurrent": AT_ONCE[wanted]})
    settings = {"handlers": [HANDLERS], "database_url": os.environ[URL], "executor": executor}
    return Location(settings).job(os.environ[FLOW])  # type: ignore[arg-type]


def quick(value: Any) -> Any:
    return value


def listed(value: Any) -> list[int]:
    return [1, 2, 3]


def rows(value: Any) -> list[list[int]]:
    return [[1, 2, 3], [4]]


def repairable(value: Any) -> str:
    """Fails until somebody makes the file `repaired`."""
    if not (Path(os.environ[FOLDER]) / "repaired").exists():
        raise ValueError("broken")
    return "repaired"


def counting(value: Any, ctx: StepContext) -> int:
    """Writes down in which iteration of a loop it is; the second one fails until `repaired`."""
    folder = Path(os.environ[FOLDER])
    with (folder / "calls").open("a", encoding="utf-8") as calls:
        calls.write(f"{ctx.step_path}\n")
    if ctx.iteration == 2 and not (folder / "repaired").exists():
        raise ValueError("broken")
    return ctx.iteration


def noted(value: int, ctx: StepContext) -> int:
    """Writes down that it was called; the twos fail until somebody makes the file `repaired`.

    With a file `crashes` they end the process.
    """
    folder = Path(os.environ[FOLDER])
    with (folder / "calls").open("a", encoding="utf-8") as calls:
        calls.write(f"{ctx.task_path} {ctx.attempt}\n")
    if value == 2 and (folder / "crashes").exists():
        os._exit(1)
    if value == 2 and not (folder / "repaired").exists():
        raise ValueError("broken")
    return value * 10


def stuck(value: int, ctx: StepContext) -> int:
    """Does the same, but the twos come to no end until then."""
    folder = Path(os.environ[FOLDER])
    with (folder / "calls").open("a", encoding="utf-8") as calls:
        calls.write(f"{ctx.task_path}\n")
    if value == 2 and not (folder / "repaired").exists():
        endless(value)
    return value * 10


def failing(value: Any) -> None:
    """Says that it has begun, and fails."""
    (Path(os.environ[FOLDER]) / "begun").touch()
    raise ValueError("broken")


def charged(value: Any) -> None:
    """Fails with an exception that came of two others."""
    try:
        try:
            {"known": 1}["unknown"]
        except KeyError as error:
            raise LookupError("no such customer") from error
    except LookupError as error:
        raise ValueError("no such card") from error


def endless(value: Any) -> None:
    """Says that it has begun, and goes on until it is killed."""
    (Path(os.environ[FOLDER]) / "begun").touch()
    while True:
        time.sleep(0.05)


def patient(value: Any) -> Any:
    """Says that it has begun, and waits until somebody makes the file `repaired`."""
    folder = Path(os.environ[FOLDER])
    (folder / "begun").touch()
    while not (folder / "repaired").exists():
        time.sleep(0.05)
    return value


def killed(value: Any) -> None:
    """Ends its process as the operating system does that has no memory left."""
    os.kill(os.getpid(), signal.SIGKILL)


FUNCTIONS = (
    quick,
    listed,
    rows,
    repairable,
    counting,
    noted,
    stuck,
    failing,
    charged,
    endless,
    patient,
    killed,
)
HANDLERS = {function.__name__: function for function in FUNCTIONS}

if __name__ == "__main__":
    repeats = sys.argv[1:]
    with dg.DagsterInstance.get() as instance:
        if WAITED in repeats:
            had = [instance.get_run_by_id(run_id) for run_id in repeats[:-1]]
            further = further_run(instance, flow_job(), [one for one in had if one is not None])
            execute_run(dg.reconstructable(flow_job), further, instance)
            sys.exit()
        if GOES_ON in repeats:
            run = instance.get_run_by_id(repeats[0])
            assert run is not None
            again = going_on(instance, flow_job(), run)
            execute_run(dg.reconstructable(flow_job), again, instance)
            sys.exit()
        dg.execute_job(
            dg.reconstructable(flow_job),
            instance=instance,
            run_config=json.loads(os.environ.get(CONFIG, "{}")),
            reexecution_options=(
                dg.ReexecutionOptions.from_failure(repeats[0], instance) if repeats else None
            ),
        )
