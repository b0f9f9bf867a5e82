"""Do the runs that Dagster launches go to live workers?"""

from collections.abc import Iterator

import dagster as dg

from dagster_pgflow.cli.checks.check import Check, ok, warning
from dagster_pgflow.live_launcher import LiveRunLauncher
from dagster_pgflow.store.database import Database
from dagster_pgflow.store.live_runs import LiveRuns


def check_run_launcher(instance: dg.DagsterInstance, database: Database) -> Iterator[Check]:
    """Look at the run launcher of a Dagster, beside the live workers of a store.

    Args:
        instance: The Dagster instance.
        database: The store.
    """
    workers = LiveRuns(database).workers()
    launcher = instance.run_launcher
    if isinstance(launcher, LiveRunLauncher):
        yield ok("Run launcher", f"LiveRunLauncher around {type(launcher.wrapped).__name__}")
    elif workers:
        yield warning(
            "Run launcher",
            f"It is {type(launcher).__name__}, so only what start_flow asks for goes to live"
            " workers; `dagster-pgflow doctor --fix` has runs from the launchpad, schedules and"
            " other sensors go there, too.",
        )
    else:
        yield ok("Run launcher", type(launcher).__name__)
