"""The command line on a database of the test's own."""

from collections.abc import Callable

import pytest
from click.testing import CliRunner, Result

from dagster_pgflow.cli import main

Cli = Callable[..., Result]


@pytest.fixture
def offline_cli(monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Runs a command where no database can be reached."""
    monkeypatch.setenv("PGFLOW_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    return _run


@pytest.fixture
def cli(offline_cli: Cli, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Runs a command on the database of this test."""
    monkeypatch.setenv("PGFLOW_DATABASE_URL", database_url)
    return _run


def _run(*arguments: str, input: str | None = None) -> Result:
    return CliRunner().invoke(main, arguments, input=input)
