"""A port of the embedded server, for clients without sockets: for this machine, with a password."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path

import psutil
import psycopg2
import pytest
from click.testing import CliRunner

from dagster_pgflow.cli import main
from dagster_pgflow.embedded.network import NetworkAddress
from dagster_pgflow.errors import EmbeddedPostgresError
from tests.embedded.conftest import MakeServer
from tests.embedded.processes import postmaster_pid, processes_in, query


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number: int = probe.getsockname()[1]
        return number


def test_a_port_lets_in_whoever_has_the_password_and_nobody_else(
    make_server: MakeServer, port: int
) -> None:
    server = make_server(port=port)
    server.start()
    network = server.network_address()
    assert network is not None
    assert query(network.url(), "select current_user, inet_server_port()") == [("postgres", port)]
    with_password = f"host=127.0.0.1 port={port} user=postgres dbname=dagster"
    assert query(f"{with_password} password={network.password()}", "select 1") == [(1,)]

    query(server, "create role guest login password 'known'")
    for wrong in (
        f"postgresql://postgres@127.0.0.1:{port}/pgflow",
        f"postgresql://postgres:guessed@127.0.0.1:{port}/pgflow",
        f"postgresql://guest:known@127.0.0.1:{port}/pgflow",
    ):
        with pytest.raises(psycopg2.OperationalError, match=r"password|no pg_hba\.conf entry"):
            query(wrong, "select 1")


def test_a_port_is_one_of_this_machine_and_its_password_is_read_by_the_owner_alone(
    make_server: MakeServer, tmp_path: Path, port: int
) -> None:
    server = make_server(port=port)
    server.start()
    pid = postmaster_pid(tmp_path / "data")
    connections = psutil.Process(pid).net_connections("inet")
    listening = [found.laddr for found in connections if found.status == psutil.CONN_LISTEN]
    assert listening == [("127.0.0.1", port)]
    network = server.network_address()
    assert network is not None
    details = network.passfile.stat()
    assert stat.S_IMODE(details.st_mode) == 0o600
    assert details.st_uid == (tmp_path / "data/cluster").stat().st_uid
    [[kept]] = query(server, "select rolpassword from pg_authid where rolname = 'postgres'")
    assert kept.startswith("SCRAM-SHA-256$4096:")
    assert network.password() not in (tmp_path / "data/server.log").read_text()


def test_who_knows_the_server_by_its_socket_finds_it_there_with_a_port_and_without(
    make_server: MakeServer, tmp_path: Path, port: int
) -> None:
    without = make_server()
    url = without.start()
    without.stop()
    first = make_server(port=port)
    assert first.start() == url
    network = first.network_address()
    assert network is not None
    joined = make_server()
    assert joined.start() == url
    assert query(url, "select 1") == [(1,)]
    assert joined.network_address() == network
    password = network.password()
    first.stop()
    joined.stop()
    assert processes_in(tmp_path / "data") == []

    again = make_server()
    assert again.start() == url
    assert again.network_address() is None
    assert query(url, "select 1") == [(1,)]
    again.stop()
    with make_server(port=port) as server:
        found = server.network_address()
        assert found == network
        assert found.password() == password


def test_a_server_with_a_port_that_was_killed_starts_again_without_one(
    make_server: MakeServer, tmp_path: Path, port: int
) -> None:
    server = make_server(port=port)
    url = server.start()
    os.kill(postmaster_pid(tmp_path / "data"), signal.SIGKILL)
    server.stop(for_everyone=True)
    assert make_server().start() == url
    assert query(url, "select 1") == [(1,)]


def test_a_port_that_somebody_has_is_refused_with_what_to_do(
    make_server: MakeServer, tmp_path: Path, port: int
) -> None:
    refused = pytest.raises(EmbeddedPostgresError, match="choose another one with PGFLOW_PORT")
    with socket.create_server(("127.0.0.1", port)), refused:
        make_server(port=port).start()
    assert processes_in(tmp_path / "data") == []


def test_a_password_that_is_gone_is_made_anew_at_the_next_start(
    make_server: MakeServer, port: int
) -> None:
    with make_server(port=port) as server:
        network = server.network_address()
        assert network is not None
        network.passfile.unlink()
        with pytest.raises(EmbeddedPostgresError, match="makes a new one"):
            network.password()
    with make_server(port=port):
        assert query(network.url(), "select 1") == [(1,)]


def test_the_command_says_where_the_server_is(
    make_server: MakeServer, tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PGFLOW_DATABASE_URL", raising=False)
    monkeypatch.setenv("PGFLOW_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("PGFLOW_PORT", str(port))
    make_server(port=port).start()
    said = CliRunner().invoke(main, ["address"])
    assert query(said.stdout.strip(), "select inet_server_port()") == [(port,)]
    by_program = json.loads(CliRunner().invoke(main, ["address", "--json"]).stdout)["network"]
    found = NetworkAddress(by_program["port"], Path(by_program["passfile"]))
    password = CliRunner().invoke(main, ["address", "--password"]).stdout.strip()
    assert (found.url(), found.password()) == (by_program["url"], password)
    assert password not in said.output


def test_the_command_says_that_a_server_runs_already_without_the_port(
    make_server: MakeServer, tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PGFLOW_DATABASE_URL", raising=False)
    monkeypatch.setenv("PGFLOW_DATA_DIR", str(tmp_path / "data"))
    url = make_server().start()
    asked = CliRunner().invoke(main, ["address"])
    assert asked.stdout.strip() == url
    assert "PGFLOW_PORT=5433" in asked.stderr
    monkeypatch.setenv("PGFLOW_PORT", str(port))
    refused = CliRunner().invoke(main, ["address"])
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert f"the next start opens port {port}" in refused.stderr


def test_a_server_that_is_held_runs_until_ctrl_c(
    make_server: MakeServer, tmp_path: Path, port: int
) -> None:
    make_server()
    environment = {
        **{key: value for key, value in os.environ.items() if key != "PGFLOW_DATABASE_URL"},
        "PGFLOW_DATA_DIR": str(tmp_path / "data"),
        "PGFLOW_PORT": str(port),
    }
    holder = subprocess.Popen(
        [sys.executable, "-m", "dagster_pgflow", "address", "--hold"],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None
    assert query(holder.stdout.readline().strip(), "select 1") == [(1,)]
    holder.send_signal(signal.SIGINT)
    holder.communicate()
    assert holder.returncode == 0
