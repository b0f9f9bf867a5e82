"""A script that runs a flow in its own process is killed: its run does not stay `running`."""

import subprocess
import sys

from dagster_pgflow import Database
from tests.execution.projecting import World
from tests.execution.test_stuck_runs import IMPATIENT, again, pid_file, world_of_processes
from tests.polling import poll

__all__ = ["pid_file", "world_of_processes"]

SCRIPT = """
import os, signal, sys
import dagster as dg
from dagster_pgflow import Flow, execute_flow

def die(_):
    os.kill(os.getpid(), signal.SIGKILL)

with dg.DagsterInstance.get() as instance:
    flow = Flow("f", timeout=1, max_attempts=1).step("a").step("b", depends_on="a")
    execute_flow(flow, 1, handlers={"a": die, "b": die}, database=sys.argv[1], instance=instance)
"""


def test_the_run_of_a_killed_script_is_settled_as_that_of_any_process(
    world_of_processes: World, database: Database
) -> None:
    world = world_of_processes
    died = subprocess.run(
        [sys.executable, "-c", SCRIPT, database.address.dsn], capture_output=True, text=True
    )
    assert died.returncode == -9, died.stderr
    world.project()
    assert world.sql.column("select status from pgflow.runs") == ["started"]

    def is_settled() -> bool:
        again(world, IMPATIENT)
        return world.sql.column("select status from pgflow.runs") == ["failed"]

    poll(is_settled)
    assert "Timed out: nothing has happened in the run" in world.one("runs")["error_message"]
    assert world.by_path("status") == {"a": "cancelled", "b": "cancelled"}
