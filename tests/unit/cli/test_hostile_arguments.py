"""Whatever a command is given, it ends with an answer or a short sentence, and no surprise."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import Result

from tests.polling import poll
from tests.unit.cli.conftest import Cli

PROGRAM = [sys.executable, "-m", "dagster_pgflow"]
LONGEST_ANSWER = 1000

WORDS = [
    *("", " ", "a" * 100_000, "9" * 5001, "a\udcff", "a\nb\r\n", "'; select 1; --"),
    *("%s%(a)s%%", "\x1b[2J\x07", "../../etc/passwd", "--", "\U0001f600", "-1", "1e400", "nan"),
]

FORMS = [
    *(["show", "{}"], ["versions", "{}"], ["export", "{}"], ["delete", "{}"], ["start", "{}"]),
    *(["status", "{}"], ["cancel", "{}"], ["retry", "{}"], ["rebuild", "--flow", "{}"]),
    *(["status", "--flow", "{}"], ["show", "a", "--version", "{}"], ["start", "a", "-i", "{}"]),
    *(["diff", "{}", "a"], ["diff", "a@{}", "a"], ["diff", "a", "{}.json"], ["sql", "{}"]),
    *(["validate", "{}.yaml"], ["load", "{}.json"], ["load", "{}"], ["load", "{}.sql"]),
    *(["validate", "--handlers", "{}", "-"], ["export", "a", "-o", "{}"], ["demo", "--port", "{}"]),
    *(["answer", "{}", "a", "1"], ["answer", "0123abcd", "{}", "{}"], ["signal", "{}", "--all"]),
    *(["signal", "a", "--key", "{}"], ["signal", "a", "--all", "{}"], ["waiting", "--flow", "{}"]),
    *(["start", "a", "--run-id", "{}"], ["start", "nothing", "--timeout", "{}"], ["{}"]),
]

INPUTS = [
    *("[" * 100_000, '{"a":' * 900 + "1" + "}" * 900, "9" * 5001, "1e999", "NaN", '"\\u0000"'),
    *('"\\ud800"', '"\udcff"', '{"a": 1, "a": 2}', "", "@/nowhere/input.json", "@/", "@"),
]


@pytest.fixture
def stored(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Runs a command in a folder of its own, where a flow is stored."""
    monkeypatch.chdir(tmp_path)
    cli("load", "-", input='{"slug": "a", "steps": [{"type": "single", "slug": "s"}]}')
    return cli


def assert_foreseen(result: Result) -> None:
    told = result.stderr
    assert isinstance(result.exception, SystemExit | None)
    assert "Unexpected error" not in told
    assert "Traceback" not in told
    assert len(told) < LONGEST_ANSWER
    assert result.exit_code == 0 or told


def test_words_that_nobody_would_write(stored: Cli) -> None:
    for form in FORMS:
        for word in WORDS:
            given = [part.format(word) for part in form]
            assert_foreseen(stored(*given, input=""))


def test_inputs_that_nobody_would_send(stored: Cli) -> None:
    for text in INPUTS:
        given = stored("start", "a", "--input", text)
        assert_foreseen(given)
        assert given.exit_code == 2
        assert "Invalid value for '--input'" in given.stderr
    assert json.loads(stored("status", "--json").stdout) == []


def test_sql_behind_a_nul_is_not_dropped_without_a_word(stored: Cli, tmp_path: Path) -> None:
    (tmp_path / "nul.sql").write_text("select 1;\x00 select pgflow.create_flow('b');")
    for given in (["sql", "-"], ["load", "nul.sql"]):
        result = stored(*given, input="select 1\x00, 2")
        assert_foreseen(result)
        assert result.exit_code == 1
        assert "a text with a NUL character" in result.stderr


def test_a_module_of_handlers_may_raise_what_it_likes(stored: Cli, tmp_path: Path) -> None:
    (tmp_path / "raising_handlers.py").write_text("1 / 0\n")
    result = stored("validate", "--handlers", "raising_handlers", "-", input='{"slug": "a"}')
    assert_foreseen(result)
    assert "cannot be imported: it raised ZeroDivisionError: division by zero" in result.stderr


def run_program(*given: str, redirected: str = "", **environment: str) -> tuple[int, str]:
    """Runs the program itself, as a shell does."""
    command = f'exec "$@" {redirected}'
    done = subprocess.run(
        ["sh", "-c", command, "sh", *PROGRAM, *given],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        env={**os.environ, **environment},
        timeout=300,
    )
    return done.returncode, done.stderr.decode()


@pytest.mark.parametrize(
    ("given", "redirected", "told"),
    [
        ("schema", ">/dev/full", "The operating system refused: [Errno 28] No space left"),
        ("schema", ">&-", "Standard output is closed."),
        ("validate -", "<&-", "Standard input cannot be read: it is closed."),
        ("sql -", "<&-", "Standard input cannot be read: it is closed."),
        ("start a --input -", "<&-", "Standard input cannot be read: it is closed."),
    ],
)
def test_what_the_shell_does_with_its_streams(given: str, redirected: str, told: str) -> None:
    code, stderr = run_program(*given.split(), redirected=redirected)
    assert code != 0
    assert told in stderr
    assert "Traceback" not in stderr


def test_somebody_who_has_read_enough_ends_it_quietly() -> None:
    code, stderr = run_program("schema", redirected="| head -1")
    assert (code, stderr) == (0, "")


def test_a_terminal_that_knows_few_letters_gets_the_rest_as_escapes(
    stored: Cli, database_url: str
) -> None:
    stored("load", "-", input='{"slug": "b", "description": "\\u00e4\\u4e2d"}')
    settings = {"PGFLOW_DATABASE_URL": database_url, "PYTHONIOENCODING": "ascii", "TERM": "dumb"}
    assert run_program("show", "b", **settings) == (0, "")


def test_no_home_is_told_where_it_is_missed(tmp_path: Path) -> None:
    code, stderr = run_program("list", PGFLOW_DATABASE_URL="", PGFLOW_DATA_DIR="", HOME="/dev/null")
    assert code == 1
    assert "choose another one with PGFLOW_DATA_DIR" in stderr


def test_ctrl_c_while_waiting_ends_the_wait_and_not_the_run(stored: Cli, database_url: str) -> None:
    waiting = subprocess.Popen(
        [*PROGRAM, "start", "a", "--wait"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={**os.environ, "PGFLOW_DATABASE_URL": database_url},
    )
    poll(lambda: json.loads(stored("status", "--json").stdout))
    waiting.send_signal(signal.SIGINT)
    _, told = waiting.communicate(timeout=300)
    assert waiting.returncode == 1
    assert told.decode().endswith("Aborted!\n")
    assert [run["status"] for run in json.loads(stored("status", "--json").stdout)] == ["queued"]
