"""What holds for every command: help, errors, exit codes."""

import pytest

from dagster_pgflow.cli import main
from dagster_pgflow.cli.command_group import COMMANDS
from tests.unit.cli.conftest import Cli


def test_the_help_names_every_command(offline_cli: Cli) -> None:
    result = offline_cli("--help")
    assert result.exit_code == 0
    assert all(f"\n  {name} " in result.stdout for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_a_command_has_an_example(offline_cli: Cli, name: str) -> None:
    result = offline_cli(name, "-h")
    assert result.exit_code == 0
    assert f"\n    dagster-pgflow {name}" in result.stdout


def test_an_unknown_command_is_a_usage_error(offline_cli: Cli) -> None:
    result = offline_cli("fly")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "No such command 'fly'" in result.stderr


def test_an_error_is_one_sentence_and_exit_code_1(offline_cli: Cli) -> None:
    result = offline_cli("list")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("Error: No PostgreSQL answers at 127.0.0.1:1/none")
    assert result.stderr.endswith("refused. Start it or correct PGFLOW_DATABASE_URL.\n")
    assert "?" not in result.stderr
    assert "Traceback" not in result.stderr


def test_what_nobody_foresaw_is_a_sentence_too(
    offline_cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_down(**_options: object) -> None:
        raise LookupError("gone")

    command = main.get_command(None, "schema")  # type: ignore[arg-type]
    monkeypatch.setattr(command, "callback", break_down)
    result = offline_cli("schema")
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: Unexpected error, LookupError: gone;")
    assert isinstance(offline_cli("--traceback", "schema").exception, LookupError)


def test_the_version_is_told(offline_cli: Cli) -> None:
    assert "dagster-pgflow, version" in offline_cli("--version").stdout
