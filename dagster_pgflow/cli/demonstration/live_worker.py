"""The live worker of the demo: its runs start at once, while Dagster is still starting."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from dagster_pgflow.cli.demonstration.family import running_family

GRACE_S = 5
"""What runs may take when the demo ends."""


@contextmanager
def running_live_worker(
    workspace: Path, log: Path, environment: Mapping[str, str]
) -> Iterator[None]:
    """Serve a workspace as `dagster-pgflow live` does, as long as the block lasts.

    When it cannot, the demo goes on without it: the sensors start what is asked for.

    Args:
        workspace: The workspace.
        log: Where everything goes that it says.
        environment: All of its environment.
    """
    command = [sys.executable, "-m", "dagster_pgflow", "live", "--workspace", str(workspace)]
    command += ["--grace", str(GRACE_S)]
    with running_family(command, workspace.parent, environment, log):
        yield
