"""Are live workers there, and are they of this version?"""

from collections.abc import Iterator

from dagster_pgflow.cli.checks.check import Check, ok, skipped, warning
from dagster_pgflow.cli.flow_files import counted
from dagster_pgflow.store.database import Database
from dagster_pgflow.store.live_runs import LiveRuns
from dagster_pgflow.version import __version__

NAME = "Live workers"


def check_live_workers(database: Database) -> Iterator[Check]:
    """Say which live workers serve the store."""
    workers = LiveRuns(database).workers()
    if not workers:
        yield skipped(NAME, "none is there, so runs begin when a sensor has seen them")
        return
    at_once = sum(one.concurrency for one in workers)
    where = ", ".join(sorted({one.code_location for one in workers}))
    says = f"{counted(len(workers), 'worker')} for {counted(at_once, 'run')} at once of {where}"
    others = sorted({one.version for one in workers} - {__version__})
    if others:
        yield warning(
            NAME,
            f"{says}; this is version {__version__}, and some of them are of {', '.join(others)}:"
            " start what is older again.",
        )
    else:
        yield ok(NAME, says)
