"""The deployments that tests of Dagster's storage compare."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.event_storage.deployments import OURS, PLAIN, Deployment, dagster_tables, deployment
from tests.postgres import Server


@pytest.fixture(scope="module")
def tables(server: Server) -> Iterator[str]:
    """A database with Dagster's tables, to be copied."""
    with dagster_tables(server) as name:
        yield name


@pytest.fixture
def ours(server: Server, tables: str, tmp_path: Path) -> Iterator[Deployment]:
    """A deployment whose `dagster.yaml` names our storage."""
    with deployment(server, tmp_path / "ours", OURS, tables) as made:
        yield made


@pytest.fixture
def slow(server: Server, tables: str, tmp_path: Path) -> Iterator[Deployment]:
    """The same, where no clock writes what waits."""
    with deployment(server, tmp_path / "slow", OURS, tables, flush_interval_ms=100_000_000) as made:
        yield made


@pytest.fixture
def plain(server: Server, tables: str, tmp_path: Path) -> Iterator[Deployment]:
    """A deployment with dagster-postgres as it comes."""
    with deployment(server, tmp_path / "plain", PLAIN, tables) as made:
        yield made
