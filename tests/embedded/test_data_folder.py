"""Which folders can be data folders, and the sentence for each that cannot."""

import os
import subprocess
from pathlib import Path

import pytest

from dagster_pgflow.embedded import EmbeddedPostgres, binaries
from dagster_pgflow.embedded.account import ServerAccount
from dagster_pgflow.errors import EmbeddedPostgresError
from tests.embedded.conftest import MakeServer
from tests.embedded.processes import query


@pytest.mark.parametrize(
    "name",
    [
        "with space",
        'quote\'s "and" dollar$HOME `x`',
        "comma,equals=percent%2F&?#",
        "übung",
        "/".join(["a_very_long_name_of_a_folder"] * 6),
    ],
)
def test_a_path_may_hold_anything_and_be_long(
    make_server: MakeServer, tmp_path: Path, name: str
) -> None:
    with make_server(tmp_path / name) as server:
        assert query(server, "select current_database()") == [("pgflow",)]
        assert query(server.url("dagster"), "select current_database()") == [("dagster",)]
        socket_folder = Path(query(server, "show unix_socket_directories")[0][0].strip('"'))
    if len(name) > 100:
        assert socket_folder.name.startswith("pgflow-")
        assert not socket_folder.exists()


def test_a_relative_path_means_the_same_from_the_start_on(
    make_server: MakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    server = make_server(Path("here"))
    server.start()
    monkeypatch.chdir("/")
    assert server.is_running()
    assert (tmp_path / "here" / "cluster").is_dir()


def test_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EmbeddedPostgresError, match="is a file, but the data folder"):
        EmbeddedPostgres(tmp_path / "file").start()


def test_a_folder_with_other_things_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").touch()
    with pytest.raises(EmbeddedPostgresError, match=r"holds other things \(thesis\.txt\)"):
        EmbeddedPostgres(tmp_path).start()
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_the_data_directory_of_another_server_is_refused(tmp_path: Path) -> None:
    (tmp_path / "PG_VERSION").write_text("15")
    with pytest.raises(EmbeddedPostgresError, match="is itself the data directory"):
        EmbeddedPostgres(tmp_path).start()


def test_a_cluster_of_a_version_that_is_not_carried_is_refused(
    make_server: MakeServer, tmp_path: Path
) -> None:
    with make_server():
        pass
    (tmp_path / "data/cluster/PG_VERSION").write_text("12\n")
    with pytest.raises(EmbeddedPostgresError, match="was made by PostgreSQL 12, but"):
        make_server().start()


def test_a_cluster_of_an_older_carried_version_is_run_by_that_version(
    make_server: MakeServer, tmp_path: Path
) -> None:
    carried = binaries.by_major_version()
    oldest = min(carried)
    cluster = tmp_path / "data" / "cluster"
    cluster.mkdir(parents=True)
    account = ServerAccount.for_folder(0 if os.geteuid() == 0 else os.geteuid())
    account.maker.own(cluster)
    account.open_path_to(cluster.parent)
    binaries.make_usable(carried[oldest], account)
    subprocess.run(
        [carried[oldest] / "initdb", "-D", cluster, "-U", "postgres", "-A", "trust", "--no-sync"],
        check=True,
        capture_output=True,
        cwd=cluster,
        **account.maker.subprocess_options(),
    )
    account.own_all_of(cluster, account.maker.uid)
    with make_server() as server:
        rows = query(server.url("postgres"), "select current_setting('server_version_num')::int")
    assert rows[0][0] // 10000 == oldest


def test_a_server_that_cannot_start_says_why_in_the_words_of_postgresql(
    make_server: MakeServer, tmp_path: Path
) -> None:
    with make_server():
        pass
    with (tmp_path / "data/cluster/postgresql.conf").open("a") as settings:
        settings.write("shared_buffers = plenty\n")
    with pytest.raises(EmbeddedPostgresError, match=r"did not start in .*FATAL: "):
        make_server().start()


def test_a_url_of_a_server_that_does_not_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EmbeddedPostgresError, match="is not running; start it first"):
        EmbeddedPostgres(tmp_path / "data").url()


def test_settings_for_other_servers_do_not_reach_this_one(
    make_server: MakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPORT", "1")
    monkeypatch.setenv("PGDATA", "/nowhere")
    server = make_server()
    url = server.start()
    monkeypatch.delenv("PGPORT")
    assert query(url, "show port") == [("5432",)]
