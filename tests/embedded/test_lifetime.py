"""The server is there while somebody uses it, and gone afterwards, whatever happens between."""

import os
import signal
from pathlib import Path

import psycopg2
import pytest

from tests.embedded.conftest import MakeServer
from tests.embedded.processes import (
    ended,
    keeper_of,
    killed,
    postmaster_pid,
    processes_in,
    query,
    started,
    user_process,
)
from tests.polling import poll


def test_the_first_start_makes_a_real_postgresql_with_two_databases(
    make_server: MakeServer, tmp_path: Path
) -> None:
    server = make_server(tmp_path / "new")
    url = server.start()
    [[version]] = query(url, "select current_setting('server_version_num')::int / 10000")
    names = query(url, "select datname from pg_database where not datistemplate order by 1")
    assert version >= 16
    assert names == [("dagster",), ("pgflow",), ("postgres",)]
    assert query(server.url("dagster"), "select current_database()") == [("dagster",)]


def test_a_stop_and_the_next_start_keep_the_data(make_server: MakeServer) -> None:
    with make_server() as server:
        query(server, "create table kept as select 1 as n")
    assert not server.is_running()
    with make_server() as server:
        assert query(server, "select n from kept") == [(1,)]


def test_stopping_leaves_no_process_and_no_lock_file(
    make_server: MakeServer, tmp_path: Path
) -> None:
    server = make_server()
    server.start()
    server.stop()
    assert processes_in(tmp_path / "data") == []
    assert not (tmp_path / "data/cluster/postmaster.pid").exists()


def test_the_second_user_joins_and_the_last_one_to_stop_ends_the_server(
    make_server: MakeServer,
) -> None:
    first, second = make_server(), make_server()
    assert first.start() == second.start()
    first.stop()
    assert second.is_running()
    second.stop()
    assert not second.is_running()


def test_stopping_for_everyone_does_not_ask_the_other_users(make_server: MakeServer) -> None:
    first, second = make_server(), make_server()
    first.start()
    second.start()
    first.stop(for_everyone=True)
    assert not second.is_running()


def test_stopping_twice_or_without_a_start_is_no_error(make_server: MakeServer) -> None:
    server = make_server()
    server.stop()
    server.start()
    server.stop()
    server.stop()
    assert not server.is_running()


def test_eight_processes_that_start_at_once_share_one_server(
    make_server: MakeServer, tmp_path: Path
) -> None:
    server = make_server(tmp_path / "new")
    processes = [user_process(tmp_path / "new") for _ in range(8)]
    urls = {started(process) for process in processes}
    assert urls == {server.url()}
    assert [ended(process) for process in processes] == [0] * 8


def test_a_killed_owner_takes_nothing_with_it(make_server: MakeServer, tmp_path: Path) -> None:
    server = make_server()
    owner = user_process(tmp_path / "data")
    url = started(owner)
    query(url, "create table kept as select 1 as n")
    killed(owner)
    server.start()
    assert query(server, "select n from kept") == [(1,)]


def test_the_server_ends_by_itself_when_its_only_user_was_killed(
    make_server: MakeServer, tmp_path: Path
) -> None:
    make_server()
    owner = user_process(tmp_path / "data", linger=0.1)
    started(owner)
    killed(owner)
    poll(lambda: not processes_in(tmp_path / "data"))


def test_ctrl_c_in_the_terminal_of_a_user_does_not_reach_the_server(
    make_server: MakeServer, tmp_path: Path
) -> None:
    server = make_server()
    owner = user_process(tmp_path / "data", start_new_session=True)
    started(owner)
    os.killpg(owner.pid, signal.SIGINT)
    owner.communicate()
    assert query(server, "select 1") == [(1,)]


def test_a_session_without_our_lock_keeps_the_server_until_it_closes(
    make_server: MakeServer, tmp_path: Path
) -> None:
    make_server()
    owner = user_process(tmp_path / "data", linger=0.1)
    session = psycopg2.connect(started(owner))
    killed(owner)
    with pytest.raises(AssertionError, match="Not seen within"):
        poll(lambda: not processes_in(tmp_path / "data"), timeout=1.5)
    session.close()
    poll(lambda: not processes_in(tmp_path / "data"))


def test_a_killed_server_is_recovered_by_the_next_start(
    make_server: MakeServer, tmp_path: Path
) -> None:
    server = make_server()
    server.start()
    query(server, "create table kept as select 1 as n")
    os.kill(postmaster_pid(tmp_path / "data"), signal.SIGKILL)
    poll(lambda: not server.is_running())
    server.start()
    assert query(server, "select n from kept") == [(1,)]


def test_a_killed_keeper_leaves_the_server_and_the_next_start_brings_a_new_one(
    make_server: MakeServer, tmp_path: Path
) -> None:
    server = make_server()
    server.start()
    pid = postmaster_pid(tmp_path / "data")
    keeper = keeper_of(tmp_path / "data")
    keeper.kill()
    keeper.wait()
    assert query(server, "select 1") == [(1,)]
    make_server().start()
    assert keeper_of(tmp_path / "data").pid != keeper.pid
    assert postmaster_pid(tmp_path / "data") == pid
    server.stop(for_everyone=True)
    assert processes_in(tmp_path / "data") == []


@pytest.mark.parametrize("remnant", ["of_another_program", "empty", "of_a_dead_process"])
def test_the_lock_file_of_a_crashed_machine_is_no_obstacle(
    make_server: MakeServer, tmp_path: Path, remnant: str
) -> None:
    server = make_server()
    server.start()
    lock_file = tmp_path / "data/cluster/postmaster.pid"
    socket_lock = tmp_path / "data/cluster/.s.PGSQL.5432.lock"
    left = {lock_file: lock_file.read_text(), socket_lock: socket_lock.read_text()}
    dead = postmaster_pid(tmp_path / "data")
    server.stop()
    for path, text in left.items():
        match remnant:
            case "of_another_program":
                path.write_text(text.replace(str(dead), str(os.getppid()), 1))
            case "empty":
                path.write_text("")
            case _:
                path.write_text(text)
        os.chown(path, lock_file.parent.stat().st_uid, -1)
    server.start()
    assert query(server, "select 1") == [(1,)]
    assert postmaster_pid(tmp_path / "data") != os.getppid()


def test_a_start_that_was_killed_half_way_leaves_nothing_in_the_way(
    make_server: MakeServer, tmp_path: Path
) -> None:
    unfinished = tmp_path / "data" / "cluster.new-x"
    unfinished.mkdir(parents=True)
    (unfinished / "PG_VERSION").write_text("18")
    server = make_server()
    server.start()
    assert not unfinished.exists()
    assert query(server, "select 1") == [(1,)]
