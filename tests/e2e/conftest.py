"""The one `dagster dev` of these tests: the product's workspace, two more stores, a stranger.

Most of the time of a run is waiting: for sensors, for processes to start. So each test says what
it begins with, all of that begins at once in the Dagster that runs, and the tests look at it one
by one.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from dagster_pgflow.settings import LOST_AFTER_VARIABLE, STUCK_AFTER_VARIABLE
from tests.e2e.dagster_dev import DagsterDev, running_dagster_dev
from tests.polling import poll
from tests.postgres import Server, Session, as_role, role_name, sqlalchemy_url

ROOT = Path(__file__).parents[2]
RUN_S = 1800
CALL_S = 1800
TEST_S = 4000
"""A test ends later than what it waits for, so that it says what did not come."""
STUCK_S = 5
"""When the sensor asks about a silent run. It ends none whose timeouts allow more silence."""
APART = "a process for each step"
"""The parameter of a test that uses the second store."""


@dataclass(frozen=True)
class Deployment:
    """What a user has: Dagster, and plain SQL sessions on the two stores.

    Attributes:
        dagster: The running Dagster.
        sql: The store of the product's own code location.
        parallel_sql: The store of the location that runs each step in a process.
        tagged_sql: The store of the location in which a flow is a job if it says so.
        folder: An empty folder that steps can see.
        begun: What the tests began with, by what began it and in which store.
    """

    dagster: DagsterDev
    sql: Session
    parallel_sql: Session
    tagged_sql: Session
    folder: Path
    begun: dict[tuple[Any, Session], Any] = field(default_factory=dict)

    def store_of(self, test: pytest.Item) -> Session:
        """Returns the store that a test has as its parameter; without one the product's."""
        callspec = getattr(test, "callspec", None)
        return self.parallel_sql if callspec and APART in callspec.params.values() else self.sql

    def begin(self, test: pytest.Item) -> Any:
        """Begins what a test begins with, unless that has begun, and returns what came of it."""
        mark = test.get_closest_marker("begins")
        if mark is None:
            return None
        [begin] = mark.args
        key = (begin, self.store_of(test))
        if key not in self.begun:
            self.begun[key] = begin(self, key[1])
        return self.begun[key]

    def call(self, sql: Session, *words: str) -> "subprocess.CompletedProcess[str]":
        """Calls the program as a user of a store does."""
        return subprocess.run(
            [str(Path(sys.executable).with_name("dagster-pgflow")), *words],
            env={
                **os.environ,
                "DAGSTER_HOME": str(self.dagster.home),
                "PGFLOW_DATABASE_URL": sql.connection.dsn,
                # Of a flow that is no job, the program loads the code itself.
                "PGFLOW_TAGGED_URL": self.tagged_sql.connection.dsn,
            },
            capture_output=True,
            text=True,
            timeout=CALL_S,
        )


def pytest_configure(config: pytest.Config) -> None:
    """Makes the mark known with which a test says what it begins with."""
    config.addinivalue_line("markers", "begins(begin): what a test begins with, with the others")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Gives the tests of this folder the time that they may wait."""
    here = Path(__file__).parent
    for test in items:
        if here in test.path.parents:
            test.add_marker(pytest.mark.timeout(TEST_S))


def begins_with(begin: Callable[[Deployment, Session], Any]) -> pytest.MarkDecorator:
    """Says what a test begins with; it finds what that returned in `begun`.

    Args:
        begin: Is called with the deployment and the store of the test; once for all tests of a
            store that begin with it.
    """
    return pytest.mark.begins.with_args(begin)


@contextmanager
def worked_in(server: Server) -> Iterator[str]:
    """Yields the address of a store in which handlers may make tables of their own."""
    with server.database() as url:
        session = Session(url)
        name = session.value("select current_database()")
        session(f"grant create on database {name} to {role_name('worker')}")
        session.close()
        yield url


@pytest.fixture(scope="package")
def deployment(
    server: Server, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Deployment]:
    """A Dagster that runs, and all that the tests begin with; each brings flows of its own."""
    with (
        worked_in(server) as url,
        worked_in(server) as parallel_url,
        worked_in(server) as tagged_url,
        server.database(migrated=False) as storage_dsn,
        running_dagster_dev(
            workspaces=[ROOT / "workspace.yaml", ROOT / "tests/e2e/workspace.yaml"],
            home=tmp_path_factory.mktemp("dagster") / "home",
            storage_url=sqlalchemy_url(storage_dsn),
            environment={
                "PGFLOW_DATABASE_URL": as_role(url, "worker"),
                "PGFLOW_PARALLEL_URL": as_role(parallel_url, "worker"),
                "PGFLOW_TAGGED_URL": as_role(tagged_url, "worker"),
                STUCK_AFTER_VARIABLE: str(STUCK_S),
                LOST_AFTER_VARIABLE: str(STUCK_S),
            },
        ) as dagster,
    ):
        sql, parallel_sql, tagged_sql = (
            Session(address) for address in (url, parallel_url, tagged_url)
        )
        folder = tmp_path_factory.mktemp("steps")
        deployment = Deployment(dagster, sql, parallel_sql, tagged_sql, folder)
        for test in request.session.items:
            deployment.begin(test)
        yield deployment
        for store in (sql, parallel_sql, tagged_sql):
            store.close()


@pytest.fixture
def begun(deployment: Deployment, request: pytest.FixtureRequest) -> Any:
    """What this test began with."""
    return deployment.begin(request.node)


@pytest.fixture
def finished() -> Callable[..., dict[str, Any]]:
    """Waits until a run has ended, and returns its row."""

    def wait(sql: Session, run_id: Any) -> dict[str, Any]:
        def ended() -> dict[str, Any] | None:
            [run] = sql.records("select * from pgflow.runs where run_id = %s", str(run_id))
            return run if run["status"] in ("completed", "failed", "cancelled") else None

        row = poll(ended, timeout=RUN_S, every=0.2)
        assert row is not None
        return row

    return wait
