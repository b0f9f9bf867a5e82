"""Where the product stores things, by the two variables of the environment."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from dagster_postgres.run_storage import PostgresRunStorage

from dagster_pgflow import settings
from dagster_pgflow.errors import ConfigurationError
from tests.embedded.processes import query


@pytest.fixture(autouse=True)
def no_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PGFLOW_DATABASE_URL", raising=False)
    monkeypatch.delenv("PGFLOW_DATA_DIR", raising=False)


@pytest.fixture
def embedded_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = tmp_path / "data"
    monkeypatch.setenv("PGFLOW_DATA_DIR", str(folder))
    yield folder
    settings.embedded_postgres().stop(for_everyone=True)


def test_a_given_url_is_used_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGFLOW_DATABASE_URL", "postgres://me:secret@db.example/flows")
    assert settings.database_url() == "postgres://me:secret@db.example/flows"
    assert settings.dagster_storage_url() is None


@pytest.mark.parametrize("blank", ["", "  "])
def test_a_blank_variable_counts_as_none(
    monkeypatch: pytest.MonkeyPatch, embedded_in: Path, blank: str
) -> None:
    monkeypatch.setenv("PGFLOW_DATABASE_URL", blank)
    assert str(embedded_in) in settings.database_url()


def test_without_a_url_the_embedded_server_is_started_and_shared(embedded_in: Path) -> None:
    url = settings.database_url()
    assert query(url, "select current_database()") == [("pgflow",)]
    assert settings.database_url() == url
    assert (embedded_in / "cluster").is_dir()


def test_dagster_postgres_takes_the_storage_url(embedded_in: Path) -> None:
    url = settings.dagster_storage_url()
    assert url is not None
    storage = PostgresRunStorage.create_clean_storage(url)
    assert storage.get_runs_count() == 0
    assert query(settings.embedded_postgres().url("dagster"), "select count(*) from runs") == [(0,)]


def test_the_default_folder_is_in_the_data_of_the_user(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    assert settings.data_dir().is_relative_to(tmp_path)
    assert "dagster-pgflow" in settings.data_dir().parts


def test_a_folder_may_be_relative_to_the_home(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PGFLOW_DATA_DIR", "~/flows")
    assert settings.data_dir() == tmp_path / "flows"


def test_a_system_without_unix_sockets_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "win32")
    with pytest.raises(ConfigurationError, match="Linux and macOS only; set PGFLOW_DATABASE_URL"):
        settings.database_url()


@pytest.mark.parametrize("port", ["no", "0", "65536", "-1", "5433.0", "٥٤٣٣", "1" * 5000])
def test_a_port_that_is_none_is_refused_with_an_example(
    port: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGFLOW_PORT", port)
    with pytest.raises(ConfigurationError, match="such as 5433"):
        settings.embedded_postgres()
