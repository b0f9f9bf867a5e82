"""The one `dagster dev` of these tests: the product's workspace, a second store, a stranger."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.dagster_dev import DagsterDev, running_dagster_dev
from tests.polling import poll
from tests.postgres import Server, Session, sqlalchemy_url

ROOT = Path(__file__).parents[2]
RUN_S = 90


@dataclass(frozen=True)
class Deployment:
    """What a user has: Dagster, and plain SQL sessions on the two stores.

    Attributes:
        dagster: The running Dagster.
        sql: The store of the product's own code location.
        parallel_sql: The store of the location that runs each step in a process.
    """

    dagster: DagsterDev
    sql: Session
    parallel_sql: Session


@pytest.fixture(scope="package")
def deployment(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A Dagster that runs; each test brings flows of its own."""
    with (
        server.database() as url,
        server.database() as parallel_url,
        server.database(migrated=False) as storage_dsn,
        running_dagster_dev(
            workspaces=[ROOT / "workspace.yaml", ROOT / "tests/e2e/workspace.yaml"],
            home=tmp_path_factory.mktemp("dagster") / "home",
            storage_url=sqlalchemy_url(storage_dsn),
            environment={"PGFLOW_DATABASE_URL": url, "PGFLOW_PARALLEL_URL": parallel_url},
        ) as dagster,
    ):
        sql, parallel_sql = Session(url), Session(parallel_url)
        _start_minutely(sql)
        yield Deployment(dagster, sql, parallel_sql)
        sql.close()
        parallel_sql.close()


@pytest.fixture
def finished() -> Callable[..., dict[str, Any]]:
    """Waits until a run has ended, and returns its row."""

    def wait(sql: Session, run_id: Any, within: float = RUN_S) -> dict[str, Any]:
        def ended() -> dict[str, Any] | None:
            [run] = sql.records("select * from pgflow.runs where run_id = %s", str(run_id))
            return run if run["status"] in ("completed", "failed", "cancelled") else None

        row = poll(ended, timeout=within)
        assert row is not None
        return row

    return wait


def _start_minutely(sql: Session) -> None:
    """Gives one flow a schedule at once, so that no test waits a whole minute for it."""
    sql("select pgflow.create_flow('minutely')")
    sql("select pgflow.add_step('minutely', 'fetch', handler => 'ai_workflow.fetch')")
    sql(
        "insert into pgflow.schedules (flow_slug, schedule_slug, cron, input)"
        """ values ('minutely', 'each_minute', '* * * * *', '{"count": 2}')"""
    )
