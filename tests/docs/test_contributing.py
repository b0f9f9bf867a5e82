"""The page for contributors names what is there: folders, files, commands."""

import re

from tests.docs.pages import ROOT

PAGE = (ROOT / "docs" / "contributing.md").read_text()
NAMED = re.findall(r"`((?:[a-z_0-9]+/)*[a-z_0-9]+(?:\.[a-z]+|/[a-z_0-9]+))`", PAGE)
PLACES = (ROOT, ROOT / "dagster_pgflow", *(ROOT / "dagster_pgflow").glob("*/"), ROOT / "tests")
PLACES_OF_SQL = (ROOT / "dagster_pgflow" / "store" / "schema",)


def test_every_file_that_is_named_is_there() -> None:
    files = [name for name in NAMED if "." in name or name.startswith("tests/")]
    places = (*PLACES, *PLACES_OF_SQL, ROOT / "dagster_pgflow" / "store" / "migrations")
    lost = [name for name in files if not any((place / name).exists() for place in places)]
    assert lost == []
    assert len(files) > 20


def test_every_command_is_a_target_of_make() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    commands = set(re.findall(r"(?:^ *|`)make ([a-z-]+)", PAGE, re.MULTILINE))
    assert commands <= targets
    assert {"check", "test", "migration", "release-migrations", "release-record"} <= commands


def test_every_folder_of_tests_is_in_the_table() -> None:
    table = PAGE.partition("| folder | holds |")[2].partition("\n\n")[0]
    folders = {
        f"tests/{folder.name}"
        for folder in (ROOT / "tests").glob("[a-z]*/")
        if any(file.is_file() and "__pycache__" not in file.parts for file in folder.rglob("*"))
    }
    assert set(re.findall(r"`(tests/\w+)`", table)) == folders
