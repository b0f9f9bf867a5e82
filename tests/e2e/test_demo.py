"""`dagster-pgflow demo`, as a stranger sees it."""

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.polling import poll

END_S = 60
DONE_S = 300


class Demo:
    """A demo on a data folder of its own, as a process.

    Attributes:
        data: The data folder of its PostgreSQL.
    """

    def __init__(self, folder: Path) -> None:
        self.data = folder / "postgres"
        self._output = folder / "output.txt"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *arguments: str, **environment: str) -> None:
        with self._output.open("wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "dagster_pgflow", "demo", *arguments],
                env={**os.environ, "PGFLOW_DATA_DIR": str(self.data), **environment},
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def said(self) -> str:
        return self._output.read_text()

    def wait_for(self, text: str) -> None:
        poll(lambda: text in self.said or self._ended(), timeout=DONE_S)
        assert text in self.said, self.said

    def signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def exit_code(self, timeout: float = END_S) -> int:
        assert self._process is not None
        return self._process.wait(timeout)

    def processes(self) -> list[psutil.Process]:
        """Returns what is left of it: everything that has its environment."""
        return [process for process in psutil.process_iter() if self._is_ours(process)]

    def assert_leaves_nothing(self) -> None:
        """Asserts that nothing is left of it, but for what ends by itself when nobody is there."""
        with suppress(AssertionError):
            poll(lambda: not self._left(), timeout=END_S)
        assert self._left() == []

    def _left(self) -> list[str]:
        lines = []
        for process in self.processes():
            with suppress(psutil.NoSuchProcess):
                lines.append(" ".join(process.cmdline()))
        return lines

    def _ended(self) -> bool:
        return self._process is not None and self._process.poll() is not None

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            is_ours = process.environ().get("PGFLOW_DATA_DIR") == str(self.data)
            return is_ours and process.status() != psutil.STATUS_ZOMBIE
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            return False


@pytest.fixture
def demo() -> Iterator[Demo]:
    # Not below pytest's own folder: each pytest that starts closes that one to other accounts,
    # and started by root the server runs as one of those.
    with tempfile.TemporaryDirectory(prefix="pgflow-demo-") as folder:
        demo = Demo(Path(folder))
        yield demo
        for process in demo.processes():
            with suppress(psutil.NoSuchProcess):
                process.kill()
                process.wait(END_S)


def test_the_demo_shows_all_of_it_and_a_second_one_finds_what_the_first_left(demo: Demo) -> None:
    demo.start("--exit-when-done", PGFLOW_DATABASE_URL="postgresql://not@touched/by_it")
    assert demo.exit_code(DONE_S) == 0, demo.said
    assert "The demo does not use the server in PGFLOW_DATABASE_URL." in demo.said
    assert re.search(r"ai_workflow +completed +3 +102 ", demo.said)
    assert re.search(r"payment +failed ", demo.said)
    report = demo.data.with_name("postgres-demo") / "docs-report.md"
    assert report.read_text().startswith("# The documents in")
    demo.assert_leaves_nothing()

    demo.start()
    demo.wait_for("Ctrl-C ends PostgreSQL and Dagster.")
    assert "as it was" in demo.said
    found = re.search(r"Dagster is at (http\S+)", demo.said)
    assert found is not None
    with urllib.request.urlopen(f"{found[1]}/server_info", timeout=10) as answer:
        assert answer.status == 200
    # Ctrl-C twice, as impatient people and `make` do.
    demo.signal(signal.SIGINT)
    demo.signal(signal.SIGINT)
    assert demo.exit_code() == 0, demo.said
    demo.assert_leaves_nothing()


def test_a_demo_that_is_terminated_while_it_starts_leaves_nothing(demo: Demo) -> None:
    demo.start()
    demo.wait_for("Starting Dagster")
    demo.signal(signal.SIGTERM)
    assert demo.exit_code() == 0, demo.said
    demo.assert_leaves_nothing()


def test_a_dagster_that_does_not_start_ends_the_demo_with_its_words(
    demo: Demo, tmp_path: Path
) -> None:
    (tmp_path / "broken" / "dagster").mkdir(parents=True)
    (tmp_path / "broken" / "dagster" / "__init__.py").touch()
    (tmp_path / "broken" / "dagster" / "__main__.py").write_text("raise SystemExit('No luck.')")
    demo.start(PYTHONPATH=str(tmp_path / "broken"))
    assert demo.exit_code() == 1
    assert "Dagster ended by itself with exit code 1" in demo.said
    assert "No luck." in demo.said
    assert "Traceback" not in demo.said
    demo.assert_leaves_nothing()


def test_a_port_that_is_taken_is_refused_at_once(demo: Demo) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        demo.start("--port", str(port))
        assert demo.exit_code() == 1
    assert f"Something listens on port {port}" in demo.said
    demo.assert_leaves_nothing()


def test_a_second_demo_in_the_same_folder_is_refused(demo: Demo, tmp_path: Path) -> None:
    demo.start()
    demo.wait_for("Starting Dagster")
    other = Demo(tmp_path / "other")
    other.data.parent.mkdir()
    other.data = demo.data
    other.start()
    assert other.exit_code() == 1
    assert "A demo is running already, at http://127.0.0.1:" in other.said
    demo.signal(signal.SIGTERM)
    demo.exit_code()
