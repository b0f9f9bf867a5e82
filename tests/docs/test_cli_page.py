"""The page about the command line names every command and option, and no others."""

import re

import click
import pytest

from dagster_pgflow.cli import main
from dagster_pgflow.cli.command_group import COMMANDS
from tests.docs.pages import ROOT

PAGE = (ROOT / "docs" / "cli.md").read_text()
SECTIONS = dict(re.findall(r"^## `([\w-]+)`\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE))
COMMON = PAGE.partition("## What all of them have in common")[2].partition("\n## ")[0]
OPTION = r"(?<![\w-])--[a-z][a-z-]+"


def options_of(command: click.Command) -> set[str]:
    return {
        name
        for parameter in command.params
        if isinstance(parameter, click.Option)
        for name in parameter.opts
        if name.startswith("--") and name != "--help"
    }


def test_every_command_has_its_section_in_the_order_of_the_help() -> None:
    assert tuple(SECTIONS) == COMMANDS


def test_the_table_of_commands_says_what_the_help_says_in_short() -> None:
    rows = re.findall(r"^\| \[`([\w-]+)`\]\(#([\w-]+)\) \|", PAGE, re.MULTILINE)
    assert rows == [(name, name) for name in COMMANDS]


@pytest.mark.parametrize("name", COMMANDS)
def test_the_section_of_a_command_names_all_of_its_options(name: str) -> None:
    command = main.get_command(click.Context(main), name)
    assert command is not None
    assert options_of(command) - {"--json"} <= set(re.findall(OPTION, SECTIONS[name]))


@pytest.mark.parametrize("name", COMMANDS)
def test_the_section_of_a_command_names_no_option_that_it_lacks(name: str) -> None:
    command = main.get_command(click.Context(main), name)
    assert command is not None
    assert set(re.findall(OPTION, SECTIONS[name])) - {"--help"} <= options_of(command)


def test_options_of_all_commands_are_explained_once() -> None:
    assert options_of(main) <= set(re.findall(OPTION, COMMON))
