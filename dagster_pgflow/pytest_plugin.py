"""Fixtures for the tests of those who write flows: `pgflow_runner`, `pgflow_database`.

pytest loads this in every session of an environment that has the package. So it imports nothing
but pytest; Dagster and the rest come with the first fixture that is used.
"""

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from dagster_pgflow.store.copies import DatabaseCopies
    from dagster_pgflow.store.database import Database
    from dagster_pgflow.testing import FlowRunner

FLOWS = "pgflow_flows"
HANDLERS = "pgflow_handlers"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Makes known what `pgflow_runner` takes from the project's pytest settings."""
    parser.addini(FLOWS, "Flow files for pgflow_runner, as patterns from the root.", "linelist")
    parser.addini(HANDLERS, "Modules with handlers for pgflow_runner.", "linelist")


@pytest.fixture(scope="session")
def pgflow_runner(pytestconfig: pytest.Config) -> "FlowRunner":
    """Runs flows of the project by their slugs: `pgflow_runner("order", {...}, mock={...})`."""
    from dagster_pgflow.testing import FlowRunner, read_flows  # noqa: PLC0415

    modules = [import_module(name) for name in pytestconfig.getini(HANDLERS)]
    files = _files(pytestconfig.rootpath, pytestconfig.getini(FLOWS))
    return FlowRunner(read_flows(*files), modules)


@pytest.fixture(scope="session")
def pgflow_databases() -> "Iterator[DatabaseCopies]":
    """The PostgreSQL of this test session."""
    from dagster_pgflow.testing.databases import running_server_for_tests  # noqa: PLC0415

    with running_server_for_tests() as databases:
        yield databases


@pytest.fixture
def pgflow_database(pgflow_databases: "DatabaseCopies") -> "Iterator[Database]":
    """A store of this test's own: empty, in the embedded PostgreSQL, gone after the test."""
    from dagster_pgflow.store.database import Database  # noqa: PLC0415

    with pgflow_databases.copy() as url:
        database = Database(url)
        yield database
        database.close()


def _files(root: Path, patterns: list[str]) -> list[Path]:
    found: list[Path] = []
    for pattern in patterns:
        matching = sorted(root.glob(pattern))
        if not matching:
            raise pytest.UsageError(
                f'{FLOWS} names "{pattern}", and there is no such file below {root}.'
            )
        found += [path for path in matching if path not in found]
    return found
