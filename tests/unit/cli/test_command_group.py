"""What holds for every command: help, errors, exit codes."""

import json
from io import StringIO
from pathlib import Path
from threading import Event

import pytest
from click.shell_completion import ShellComplete
from rich.console import Console
from rich.table import Table

from dagster_pgflow.cli import completion, main
from dagster_pgflow.cli.command_group import COMMANDS
from dagster_pgflow.cli.console import new_table, styled
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
    assert 'There is no command "fly"; `dagster-pgflow --help` lists them.' in result.stderr


def test_a_command_that_is_mistyped_is_told_with_the_one_that_is_meant(offline_cli: Cli) -> None:
    told = offline_cli("vaildate", "x.yaml").stderr
    assert 'There is no command "vaildate" ("validate" may be meant)' in told


@pytest.mark.parametrize(
    ("arguments", "exit_code", "code"),
    [
        (["list", "--json"], 1, "store-unreachable"),
        (["show", "--json"], 2, "wrong-usage"),
        (["fly", "--json"], 2, "wrong-usage"),
        (["migrate", "--json"], 2, "wrong-usage"),
        (["load", "--json", "nowhere.yaml"], 1, "configuration-error"),
        (["validate", "--json", "--handlers", "no.such", "nowhere.yaml"], 1, "configuration-error"),
    ],
)
def test_an_error_is_one_json_object_for_who_asks_for_json(
    offline_cli: Cli, arguments: list[str], exit_code: int, code: str
) -> None:
    result = offline_cli(*arguments)
    error = json.loads(result.stdout)["error"]
    assert (result.exit_code, error["code"]) == (exit_code, code)
    assert error["message"].endswith(".")
    assert error["problems"] == []


def test_behind_two_dashes_json_is_a_text_and_no_option(offline_cli: Cli) -> None:
    result = offline_cli("list", "--", "--json")
    assert (result.exit_code, result.stdout) == (2, "")


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


def completed(*words: str) -> list[str]:
    """Returns what a shell offers for the last of the words."""
    *before, incomplete = words
    completing = ShellComplete(main, {}, "dagster-pgflow", "_DAGSTER_PGFLOW_COMPLETE")
    return [item.value for item in completing.get_completions(before, incomplete)]


def test_a_shell_completes_commands_and_the_slugs_of_stored_flows(
    cli: Cli,
) -> None:
    for slug in ("order", "orders", "other"):
        cli("sql", f"select pgflow.create_flow('{slug}')")
    assert completed("va") == ["validate"]
    assert completed("show", "order") == ["order", "orders"]
    assert completed("status", "--flow", "oth") == ["other"]
    assert completed("diff", "order", "ord") == ["order", "orders"]


def test_where_no_database_answers_a_shell_completes_nothing_and_says_nothing(
    offline_cli: Cli, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert completed("show", "") == []
    monkeypatch.setenv("PGFLOW_DATABASE_URL", "no address at all")
    assert completed("show", "") == []
    assert capfd.readouterr() == ("", "")


def test_completion_starts_no_embedded_server(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("PGFLOW_DATABASE_URL", raising=False)
    monkeypatch.setenv("PGFLOW_DATA_DIR", str(tmp_path / "postgres"))
    assert completed("show", "") == []
    assert not (tmp_path / "postgres").exists()


def test_who_completes_does_not_wait_for_a_database_that_hangs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = Event()

    def hang() -> None:
        asked.set()
        Event().wait()

    monkeypatch.setattr(completion, "_stored", hang)
    monkeypatch.setattr(completion, "PATIENCE_S", 0.01)
    assert completed("show", "") == []
    assert asked.wait(60)


def lines_of(table: Table, width: int) -> list[str]:
    """Returns the lines in which a terminal of some width shows a table."""
    out = Console(file=StringIO(), width=width, soft_wrap=True, markup=False)
    out.print(table)
    assert isinstance(out.file, StringIO)
    return [line.rstrip() for line in out.file.getvalue().splitlines() if line.strip()]


def test_a_table_that_does_not_fit_lists_its_rows_and_breaks_no_word() -> None:
    table = new_table("Step", "Type", "Depends on", "Runs", "Attempts", "Timeout")
    table.add_row("payment", styled("failed"), "prepare", "shop.charge", "", "60 s")
    table.add_row("confirm", "single", "", "", "", "")
    assert lines_of(table, 100)[2].split() == [
        *("payment", "failed", "prepare", "shop.charge", "60", "s")
    ]
    assert lines_of(table, 50) == [
        "payment",
        *("  Type: failed", "  Depends on: prepare", "  Runs: shop.charge", "  Timeout: 60 s"),
        "confirm",
        "  Type: single",
    ]
    assert lines_of(new_table("Run", "Flow"), 4) == []


def test_one_long_word_alone_makes_no_list_of_a_table() -> None:
    table = new_table("Flow", "Description")
    table.add_row("order", "x" * 300)
    assert lines_of(table, 60)[0].split() == ["Flow", "Description"]
