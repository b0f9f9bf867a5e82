"""A store, a Dagster on PostgreSQL, and a live worker for both."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import yaml

from tests.live.worker import Worker, live_worker
from tests.postgres import Server, sqlalchemy_url


@pytest.fixture
def environment(server: Server, database_url: str, tmp_path: Path) -> Iterator[Mapping[str, str]]:
    """The environment of a user: a store, and a Dagster of its own."""
    home = tmp_path / "home"
    home.mkdir()
    with server.dagster_storage() as storage:
        settings = {
            "storage": {"postgres": {"postgres_url": sqlalchemy_url(storage)}},
            "telemetry": {"enabled": False},
        }
        (home / "dagster.yaml").write_text(yaml.safe_dump(settings))
        yield {"PGFLOW_DATABASE_URL": database_url, "DAGSTER_HOME": str(home)}


@pytest.fixture
def worker(environment: Mapping[str, str], tmp_path: Path) -> Iterator[Worker]:
    """A live worker with two processes."""
    with live_worker(tmp_path, environment, "--concurrency", "2") as worker:
        yield worker
