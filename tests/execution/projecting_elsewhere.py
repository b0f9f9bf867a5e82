"""A world whose runs execute in processes of their own, and Dagster keeps them in PostgreSQL."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from dagster_pgflow.store.database import Database
from tests.execution import elsewhere
from tests.execution.projecting import World, opened_world
from tests.postgres import Server, Session, as_role, sqlalchemy_url
from tests.warm_processes import WarmProcess, forker


@pytest.fixture
def world(
    server: Server,
    database: Database,
    sql: Session,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[World]:
    """A store, and a Dagster instance that keeps its runs in PostgreSQL."""
    monkeypatch.setenv(elsewhere.URL, as_role(database.address.dsn, "worker"))
    monkeypatch.setenv(elsewhere.FOLDER, str(tmp_path))
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    with (
        server.dagster_storage() as storage,
        dagster_in_postgres(storage, tmp_path) as instance,
        opened_world(database, sql, instance) as world,
    ):
        yield world


@contextmanager
def dagster_in_postgres(storage: str, folder: Path) -> Iterator[dg.DagsterInstance]:
    """A Dagster instance whose folder says that it keeps its runs in a database."""
    (folder / "dagster.yaml").write_text(
        f"storage:\n  postgres:\n    postgres_url: {sqlalchemy_url(storage)}\n"
        "telemetry:\n  enabled: false\n"
    )
    with dg.DagsterInstance.from_config(str(folder)) as instance:
        yield instance


def run_elsewhere(flow: str) -> None:
    """Runs a flow in another process, to its end."""
    start_elsewhere(flow).wait(300)


def start_elsewhere(flow: str, *repeats: str) -> WarmProcess:
    environment = {**os.environ, elsewhere.FLOW: flow}
    return forker().fork("tests.execution.elsewhere", *repeats, environment=environment)


def re_execute(world: World, folder: Path, dagster_run_id: str) -> str:
    """Does what "re-execute from failure" does in the UI, after a repair."""
    (folder / "repaired").touch()
    start_elsewhere("f", dagster_run_id).wait(300)
    runs = world.instance.get_runs()
    [second] = [run.run_id for run in runs if run.parent_run_id == dagster_run_id]
    return second


def steps_of(world: World, run_id: str) -> list[tuple[Any, ...]]:
    return world.sql(
        "select step_path, status, output from pgflow.step_states where run_id = %s"
        " order by step_path",
        run_id,
    )
