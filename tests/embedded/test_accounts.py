"""Who the server runs as and who can reach it."""

import errno
import grp
import os
import pwd
import stat
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import psycopg2
import pytest

from dagster_pgflow.embedded import EmbeddedPostgres, keeper
from dagster_pgflow.embedded.folder import DataFolder
from dagster_pgflow.errors import EmbeddedPostgresError
from tests.embedded.conftest import MakeServer
from tests.embedded.processes import (
    ended,
    postmaster_pid,
    processes_in,
    query,
    started,
    user_process,
)
from tests.polling import poll


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


def accounts_of(data: Path) -> set[int]:
    """Returns as whom the server of a data folder runs."""
    accounts = set()
    for process in processes_in(data):
        # What served a query may end meanwhile.
        with suppress(psutil.NoSuchProcess):
            if process.name() == "postgres":
                accounts.add(process.uids().effective)
    return accounts


def what_is_refused_to(account: pwd.struct_passwd, data: Path, url: str) -> set[str]:
    """Tries, as somebody else, all that would give the database away; returns what failed."""
    cluster = data / "cluster"
    server = postmaster_pid(data)
    attempts: dict[str, Callable[[], object]] = {
        "connect": lambda: psycopg2.connect(url),
        "read": (cluster / "PG_VERSION").read_text,
        "let in": lambda: (cluster / "pg_hba.conf").open("a"),
        "look": lambda: list(cluster.iterdir()),
        "signal": lambda: os.kill(server, 0),
        "log": (data / "server.log").read_text,
    }
    reader, writer = os.pipe()
    if os.fork() == 0:
        os.setgroups([])
        os.setgid(account.pw_gid)
        os.setuid(account.pw_uid)
        for name, attempt in attempts.items():
            try:
                attempt()
            except (PermissionError, psycopg2.OperationalError):
                os.write(writer, f"{name}\n".encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as told:
        refused = set(told.read().splitlines())
    os.wait()
    return refused


@pytest.mark.parametrize("name", ["nobody", "daemon"])
def test_nobody_else_gets_at_the_server_that_root_started(
    make_server: MakeServer, tmp_path: Path, nobody: pwd.struct_passwd, name: str
) -> None:
    tmp_path.chmod(0o755)
    everything = {"connect", "read", "let in", "look", "signal", "log"}
    with make_server() as server:
        data = server.data_dir
        assert what_is_refused_to(pwd.getpwnam("root"), data, server.url()) == set()
        assert what_is_refused_to(pwd.getpwnam(name), data, server.url()) == everything


def test_root_runs_the_server_as_an_account_that_nothing_else_has(
    make_server: MakeServer, tmp_path: Path, nobody: pwd.struct_passwd
) -> None:
    with make_server() as server:
        query(server, "select 1")
        [account] = accounts_of(tmp_path / "data")
        assert account not in {entry.pw_uid for entry in pwd.getpwall()}
        owned = {path.lstat().st_uid for path in (tmp_path / "data" / "cluster").rglob("*")}
        assert owned == {account}


def test_a_new_cluster_is_made_where_no_other_process_of_nobody_can_come(
    make_server: MakeServer,
    tmp_path: Path,
    nobody: pwd.struct_passwd,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[tuple[int, int, int]] = []
    run = subprocess.run

    def look(command: list[Any], **options: Any) -> Any:
        if "--pgdata=" in " ".join(map(str, command)):
            around = Path(options["cwd"]).parent.stat()
            seen.append((around.st_uid, around.st_gid, stat.S_IMODE(around.st_mode)))
            assert options["group"] == around.st_gid != nobody.pw_gid
            assert options["extra_groups"] == []
        return run(command, **options)

    monkeypatch.setattr(subprocess, "run", look)
    with make_server(tmp_path / "new") as server:
        assert query(server, "select 1") == [(1,)]
    [(owner, group, mode)] = seen
    assert (owner, mode) == (0, 0o710)
    assert group not in {entry.gr_gid for entry in grp.getgrall()}
    assert [path.name for path in (tmp_path / "new").glob("cluster*")] == ["cluster"]


def as_the_earlier_version_left_it(make_server: MakeServer, nobody: pwd.struct_passwd) -> Path:
    """Makes a data folder of root whose cluster belongs to `nobody`, with a row in it."""
    with make_server() as server:
        query(server, "create table kept as select 1 as one")
    for path in (server.data_dir / "cluster", *(server.data_dir / "cluster").rglob("*")):
        os.chown(path, nobody.pw_uid, nobody.pw_gid, follow_symlinks=False)
    return server.data_dir


def test_a_folder_of_the_earlier_version_changes_hands_at_its_next_start(
    make_server: MakeServer, tmp_path: Path, nobody: pwd.struct_passwd
) -> None:
    tmp_path.chmod(0o755)
    data = as_the_earlier_version_left_it(make_server, nobody)
    foreign = tmp_path / "of_root"
    foreign.write_text("mine")
    (data / "cluster" / "link").symlink_to(foreign)
    with make_server(data) as server:
        assert query(server, "select one from kept") == [(1,)]
        assert nobody.pw_uid not in accounts_of(data)
        assert "connect" in what_is_refused_to(nobody, data, server.url())
    assert foreign.stat().st_uid == 0
    uids = {path.lstat().st_uid for path in (data / "cluster").rglob("*")}
    assert nobody.pw_uid not in uids
    with make_server(data) as server:
        assert query(server, "select one from kept") == [(1,)]


def test_a_server_of_the_earlier_version_that_runs_is_joined_as_it_is(
    make_server: MakeServer, tmp_path: Path, nobody: pwd.struct_passwd
) -> None:
    tmp_path.chmod(0o755)
    data = as_the_earlier_version_left_it(make_server, nobody)
    keeper.spawn(DataFolder.open(data), durable=False, linger=30, port=None)
    poll(lambda: make_server(data).is_running())
    with make_server(data) as server:
        assert query(server, "select one from kept") == [(1,)]
        assert accounts_of(data) == {nobody.pw_uid}
        # This is the hole that it had.
        assert what_is_refused_to(nobody, data, server.url()) == set()
    with make_server(data) as server:
        assert query(server, "select one from kept") == [(1,)]
        assert nobody.pw_uid not in accounts_of(data)


def test_without_an_account_to_give_the_server_there_is_a_sentence(
    make_server: MakeServer,
    tmp_path: Path,
    nobody: pwd.struct_passwd,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_arguments: Any, **_options: Any) -> None:
        raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(os, "chown", refuse)
    with pytest.raises(
        EmbeddedPostgresError, match=r"cannot be given to user id \d+, .*root \(Inv"
    ):
        EmbeddedPostgres(tmp_path / "new").start()


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
        EmbeddedPostgresError, match=rf"\(user id \d+\) cannot enter {closed}; run `chmod"
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
    poll(lambda: not processes_in(data))


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
