"""The deployments that tests of Dagster's storage compare."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.event_storage.deployments import OURS, PLAIN, Deployment, deployment
from tests.postgres import Server


@pytest.fixture
def ours(server: Server, tmp_path: Path) -> Iterator[Deployment]:
    """A deployment whose `dagster.yaml` names our storage."""
    with deployment(server, tmp_path / "ours", OURS) as made:
        yield made


@pytest.fixture
def slow(server: Server, tmp_path: Path) -> Iterator[Deployment]:
    """The same, where no clock writes what waits."""
    with deployment(server, tmp_path / "slow", OURS, flush_interval_ms=100_000_000) as made:
        yield made


@pytest.fixture
def plain(server: Server, tmp_path: Path) -> Iterator[Deployment]:
    """A deployment with dagster-postgres as it comes."""
    with deployment(server, tmp_path / "plain", PLAIN) as made:
        yield made
