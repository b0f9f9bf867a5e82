"""What the tests of the embedded server need to know about processes."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import psycopg2

from dagster_pgflow.embedded import EmbeddedPostgres

ROOT = Path(__file__).parents[2]

USER = """
import sys
from dagster_pgflow.embedded import EmbeddedPostgres
server = EmbeddedPostgres(sys.argv[1], durable=False, linger=float(sys.argv[2]))
print(server.start(), flush=True)
sys.stdin.read()
"""


def user_process(data_dir: Path, *, linger: float = 30.0, **options: Any) -> subprocess.Popen[str]:
    """Starts a process that uses the server until its input ends; its first line is the URL."""
    return subprocess.Popen(
        [sys.executable, "-c", USER, str(data_dir), str(linger)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd="/",
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        **options,
    )


def started(process: subprocess.Popen[str]) -> str:
    """Waits until the process uses the server and returns the URL that it got."""
    assert process.stdout is not None
    assert process.stderr is not None
    return process.stdout.readline().strip() or process.stderr.read()


def ended(process: subprocess.Popen[str]) -> int:
    """Lets the process end by itself and returns its exit code."""
    process.communicate()
    return process.returncode


def killed(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.communicate()


def keeper_of(data_dir: Path) -> psutil.Process:
    [keeper] = [
        process
        for process in psutil.process_iter()
        if _command(process)[1:4] == ["-m", "dagster_pgflow.embedded.keeper", str(data_dir)]
    ]
    return keeper


def postmaster_pid(data_dir: Path) -> int:
    return int((data_dir / "cluster" / "postmaster.pid").read_text().splitlines()[0])


def processes_in(data_dir: Path) -> list[psutil.Process]:
    """Finds every process of PostgreSQL or of a keeper that belongs to the folder."""
    return [
        process
        for process in psutil.process_iter()
        if any(str(data_dir) in word for word in _command(process))
        and process.pid != os.getpid()
        and "-c" not in _command(process)[:2]
    ]


def query(server: EmbeddedPostgres | str, sql: str) -> list[tuple[Any, ...]]:
    """Runs SQL in a session of its own, committed; returns the rows, if it has any."""
    url = server if isinstance(server, str) else server.url()
    connection = psycopg2.connect(url)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall() if cursor.description else []
    finally:
        connection.close()


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []
