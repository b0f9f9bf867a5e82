"""Who the server runs as and who can reach it."""

import errno
import os
import pwd
import stat
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from dagster_pgflow.embedded import EmbeddedPostgres
from dagster_pgflow.errors import EmbeddedPostgresError
from tests.embedded.conftest import MakeServer
from tests.embedded.processes import ended, processes_in, query, started, user_process, wait_until


def test_the_only_way_in_is_a_socket_in_a_folder_closed_to_others(
    make_server: MakeServer, tmp_path: Path
) -> None:
    with make_server() as server:
        assert query(server, "show listen_addresses") == [("",)]
        assert stat.S_IMODE((tmp_path / "data" / "cluster").stat().st_mode) == 0o700


def test_the_socket_of_a_long_path_is_in_a_folder_closed_to_others(
    make_server: MakeServer, tmp_path: Path
) -> None:
    with make_server(tmp_path / ("x" * 120)) as server:
        folder = Path(query(server, "show unix_socket_directories")[0][0].strip('"'))
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert folder.stat().st_uid == (server.data_dir / "cluster").stat().st_uid


def test_root_runs_the_server_as_nobody(
    make_server: MakeServer, tmp_path: Path, nobody: pwd.struct_passwd
) -> None:
    with make_server() as server:
        query(server, "select 1")
        accounts = set()
        for process in processes_in(tmp_path / "data"):
            # What served the query may end meanwhile.
            with suppress(psutil.NoSuchProcess):
                if process.name() == "postgres":
                    accounts.add(process.uids().effective)
        assert accounts == {nobody.pw_uid}


def test_a_closed_folder_above_stays_closed_to_everybody_else(
    make_server: MakeServer, tmp_path: Path, nobody: pwd.struct_passwd
) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    with make_server(closed / "data") as server:
        assert query(server, "select 1") == [(1,)]
    assert stat.S_IMODE(closed.stat().st_mode) & stat.S_IRWXO == 0
    other = pwd.getpwnam("daemon")
    child = os.fork()
    if child == 0:
        os.setgid(other.pw_gid)
        os.setuid(other.pw_uid)
        os._exit(1 if os.access(closed, os.X_OK) else 0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_way_that_was_closed_again_is_opened_again(
    make_server: MakeServer, tmp_path: Path, nobody: pwd.struct_passwd
) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    with make_server(closed / "data"):
        pass
    closed.chmod(0o700)
    with make_server(closed / "data") as server:
        assert query(server, "select 1") == [(1,)]


def test_a_closed_way_on_a_file_system_without_access_lists_is_refused(
    make_server: MakeServer,
    tmp_path: Path,
    nobody: pwd.struct_passwd,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(path: Path, name: str, value: bytes) -> None:
        raise OSError(errno.ENOTSUP, "Operation not supported")

    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    make_server().start()
    monkeypatch.setattr(os, "setxattr", refuse)
    with pytest.raises(
        EmbeddedPostgresError, match=f'"nobody".* cannot enter {closed}; run `chmod'
    ):
        make_server(closed / "data").start()


def test_a_folder_of_an_ordinary_user_serves_that_user_and_root(
    make_server: MakeServer, tmp_path: Path, nobody: pwd.struct_passwd
) -> None:
    data = _folder_of(nobody, tmp_path)
    server = make_server(data)
    as_nobody: dict[str, Any] = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
    process = user_process(data, **as_nobody)
    url = started(process)
    assert url == server.start()
    assert query(server, "select 1") == [(1,)]
    assert ended(process) == 0
    server.stop()
    # What root wrote must not lock the owner out.
    again = user_process(data, linger=0.1, **as_nobody)
    assert started(again) == url
    assert ended(again) == 0
    wait_until(lambda: not processes_in(data))


def test_a_folder_that_one_may_not_write_is_refused(
    tmp_path: Path, nobody: pwd.struct_passwd
) -> None:
    data = _folder_of(nobody, tmp_path)
    os.chown(data, 0, 0)
    data.chmod(0o755)
    process = user_process(data, user=nobody.pw_uid, group=nobody.pw_gid, extra_groups=[])
    assert "is not writable for nobody (it belongs to root)" in started(process)
    assert ended(process) == 1


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path, nobody: pwd.struct_passwd) -> None:
    process = user_process(
        Path("/nobody_makes_this"), user=nobody.pw_uid, group=nobody.pw_gid, extra_groups=[]
    )
    assert "cannot be made (Permission denied)" in started(process)
    assert ended(process) == 1


def test_a_forked_child_neither_loses_nor_keeps_the_lock_of_its_parent(
    make_server: MakeServer,
) -> None:
    server = make_server()
    server.start()
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    other = make_server()
    other.start()
    other.stop()
    assert server.is_running()
    server.stop()
    assert not server.is_running()


def _folder_of(account: pwd.struct_passwd, parent: Path) -> Path:
    """Makes a data folder in a way that the account can go, as in its own home."""
    parent.chmod(0o755)
    data = parent / "data"
    data.mkdir(mode=0o700)
    os.chown(data, account.pw_uid, account.pw_gid)
    return data


@pytest.mark.skipif(os.geteuid() == 0, reason="root runs the server as somebody else")
def test_without_root_the_server_runs_as_oneself(make_server: MakeServer, tmp_path: Path) -> None:
    with make_server() as server:
        assert isinstance(server, EmbeddedPostgres)
        assert {process.uids().effective for process in processes_in(tmp_path)} == {os.geteuid()}
