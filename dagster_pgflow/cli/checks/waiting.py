"""Do runs go on that have waited?"""

from collections.abc import Iterator
from datetime import timedelta

from dagster_pgflow.cli.checks.check import Check, failed, ok, warning
from dagster_pgflow.cli.console import in_words
from dagster_pgflow.cli.flow_files import counted
from dagster_pgflow.store.checkup import Checkup
from dagster_pgflow.store.database import Database

NAME = "Waiting runs"
PATIENCE_S = 60.0


def check_waiting(database: Database) -> Iterator[Check]:
    """Say how long runs wait, and whether they go on when they can; nothing where none waits."""
    found = Checkup(database).waiting_runs(PATIENCE_S)
    if found.oldest_s is None:
        return
    age = in_words(timedelta(seconds=found.oldest_s))
    says = f"{counted(found.waiting, 'run')} waiting, the oldest for {age}"
    if found.left_alone:
        yield failed(
            NAME,
            f"{says}; what {found.left_alone} of them waited for has come more than"
            f" {PATIENCE_S:g} seconds ago, and nobody goes on with them: start a live worker, or"
            " `dagster dev` with the sensor whose name ends in _requests.",
        )
    elif found.blocked:
        yield warning(
            NAME,
            f"{says}; {found.blocked} of them cannot go on, and are tried again. The reason of one"
            f" of them: {found.problem}",
        )
    else:
        yield ok(NAME, f"{says}; `dagster-pgflow waiting` says for what")
