"""Fixtures that every kind of test shares: databases of a real PostgreSQL."""

import gc
import signal
import tempfile
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadScopeScheduling

from dagster_pgflow.compat import DefinitionsLoadContext, DefinitionsLoadType
from dagster_pgflow.store import schema_version
from dagster_pgflow.store.catalog import Catalog
from dagster_pgflow.store.database import Database
from dagster_pgflow.store.flows import FlowBuilder
from dagster_pgflow.store.outputs import OutputStore
from dagster_pgflow.store.requests import Requests
from dagster_pgflow.store.schema_version import packaged_migrations
from tests.instances_in_memory import copy_tables
from tests.postgres import Server, Session, running_server
from tests.sql_work import CountingDatabase

# A search draws the same in each run, and takes the time that it takes: machines are shared.
settings.register_profile(
    "suite",
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
# For a long search by hand: pytest --hypothesis-profile=deep
settings.register_profile(
    "deep", settings.get_profile("suite"), derandomize=False, max_examples=1000
)
settings.load_profile("suite")


def pytest_configure() -> None:
    """Lets the processes that tests start be ended as Ctrl-C does it, and instances begin quickly.

    They inherit that signal, and where nobody sits before pytest it is ignored.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    copy_tables()


def pytest_collection_finish() -> None:
    """Keeps what is imported and collected from being looked through with each round of the GC."""
    gc.collect()
    gc.freeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks the tests that need a database, which `make check` leaves out."""
    for item in items:
        if "server" in getattr(item, "fixturenames", ()):
            item.add_marker("database")


ALONE = ("test_an_expense.py", "test_demo.py")
"""The files of `tests/e2e` that have a Dagster of their own."""


class FileByFile(LoadScopeScheduling):  # type: ignore[misc]
    """Keeps together what shares a fixture, where several processes run the tests.

    That is a file, and all tests of the one `dagster dev`. Marks for groups would say the same, but
    xdist 3.8 does not see them with pytest 9.2.
    """

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        folder, _, name = file.rpartition("/")
        return folder if folder == "tests/e2e" and name not in ALONE else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> FileByFile | None:
    """Shares the tests out file by file, unless another way is asked for, as `make check` does."""
    return FileByFile(config, log) if config.getvalue("dist") == "load" else None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Writes what a test printed so that it can be sent from process to process.

    Tests of hostile text print half characters, and one of those ends the whole session.
    """
    report = yield
    report.sections = [
        (title, text.encode(errors="backslashreplace").decode()) for title, text in report.sections
    ]
    return report


@pytest.fixture(autouse=True)
def _a_code_server() -> None:
    """Definitions are loaded as in a code server, whatever Dagster did in the test before.

    Dagster executes a run of a repository in process as a run worker does, and leaves it at that.
    """
    DefinitionsLoadContext.set(DefinitionsLoadContext(DefinitionsLoadType.INITIALIZATION))


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """The PostgreSQL server of this test session."""
    # Not below pytest's own folder: each pytest that starts closes that one to other accounts,
    # and started by root the server runs as one of those.
    with (
        tempfile.TemporaryDirectory(prefix="pgflow-tests-") as folder,
        running_server(Path(folder) / "data") as address,
    ):
        server = Server(address)
        yield server
        server.close()


@pytest.fixture
def database_url(server: Server) -> Iterator[str]:
    """The address of a database of this test's own, with the schema."""
    with server.database() as url:
        yield url


@pytest.fixture
def empty_database_url(server: Server) -> Iterator[str]:
    """The address of a database of this test's own, without the schema."""
    with server.database(migrated=False) as url:
        yield url


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """The store of this test."""
    database = Database(database_url)
    yield database
    database.close()


@pytest.fixture
def new_session(database_url: str) -> Iterator[Callable[[], Session]]:
    """Opens sessions of plain SQL on this test's database."""
    sessions: list[Session] = []

    def open_session() -> Session:
        sessions.append(Session(database_url))
        return sessions[-1]

    yield open_session
    for session in sessions:
        session.close()


@pytest.fixture
def sql(new_session: Callable[[], Session]) -> Session:
    """A session of plain SQL on this test's database."""
    return new_session()


@pytest.fixture
def builder(database: Database) -> FlowBuilder:
    """Writes flows to this test's database."""
    return FlowBuilder(database)


@pytest.fixture
def catalog(database: Database) -> Catalog:
    """Reads flows of this test's database at a watermark."""
    return Catalog(database)


@pytest.fixture
def requests(database: Database) -> Requests:
    """Starts runs in this test's database."""
    return Requests(database)


@pytest.fixture
def outputs(database: Database) -> OutputStore:
    """Keeps step outputs in this test's database."""
    return OutputStore(database)


@pytest.fixture
def with_migrations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Has this process bring more migrations than there are; returns the folder of all of them."""
    folder = tmp_path / "migrations"

    def bring(*more: str) -> Path:
        folder.mkdir()
        for migration in packaged_migrations():
            (folder / migration.file.name).write_bytes(migration.file.read_bytes())
        for number, sql in enumerate(more, start=packaged_migrations()[-1].version + 1):
            (folder / f"{number:04}_new.sql").write_text(sql)
        monkeypatch.setattr(schema_version, "MIGRATIONS_FOLDER", folder)
        return folder

    return bring


@pytest.fixture
def counting(database_url: str) -> Iterator[CountingDatabase]:
    """The store of this test, for those who ask how many rows work looks at."""
    database = CountingDatabase(database_url)
    yield database
    database.close()
