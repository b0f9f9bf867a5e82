"""A Dagster as a user has it, with sensors alone or a live worker beside them."""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

from dagster_pgflow import Flow, FlowBuilder
from dagster_pgflow.store.database import Database
from tests.e2e.dagster_dev import running_dagster_dev
from tests.live.worker import live_worker
from tests.postgres import Server, Session, sqlalchemy_url

LOCATION: Final = Path(__file__).parent / "peers_location.py"


@contextmanager
def deployed(server: Server, flow: Flow, *, live: bool) -> Iterator[Session]:
    """Yields a session on the store of a Dagster that runs.

    Args:
        server: Where it keeps everything.
        flow: The flow of the store.
        live: Whether a live worker is there beside the sensors.
    """
    with ExitStack() as stack:
        url = stack.enter_context(server.database())
        storage = stack.enter_context(server.database(migrated=False))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pgflow-bench-")))
        database = Database(url)
        FlowBuilder(database).define_flow(flow)
        database.close()
        workspace = folder / "workspace.yaml"
        workspace.write_text(f"load_from:\n  - python_file: {LOCATION}\n")
        environment: dict[str, Any] = {"PGFLOW_DATABASE_URL": url}
        dagster = stack.enter_context(
            running_dagster_dev([workspace], folder / "home", sqlalchemy_url(storage), environment)
        )
        if live:
            environment["DAGSTER_HOME"] = str(dagster.home)
            stack.enter_context(live_worker(folder, environment, location=LOCATION))
        sql = Session(url)
        stack.callback(sql.close)
        yield sql
