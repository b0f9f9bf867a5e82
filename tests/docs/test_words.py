"""One word a concept: the page of words and the code use the same ones, each for one thing."""

import ast
import re
from collections import defaultdict
from pathlib import Path

import pytest

from tests.docs.pages import ROOT

WORDS = ROOT / "docs" / "words.md"
CODE = ROOT / "dagster_pgflow"
RETIRED = (
    r"[Ss]ightings?",
    r"[Nn]arrators?",
    r"[Uu]nfolding",
    r"outlook",
    r"untaken",
    r"RepeatedStep",
    r"taken[_ ]apart",
    r"FlowsToRun",
    r"StepConduct",
    r"Patience",
    r"lie_of_ways",
    r"ways_(?:of|lead)|way_problem|bad_ways|open_way",
    r"[Mm]isfits?",
    r"\"\"\"Says? whether",
)
"""Words that the page has another one for."""

READS_OLD_VALUES = {(CODE / "runtime" / "values.py", r"untaken")}
"""Where a word stands because values that were stored before version 0.1 have it."""


def texts() -> dict[Path, str]:
    """Return all code and pages; an applied migration keeps the words of its time."""
    files = [
        *CODE.rglob("*.py"),
        *(file for file in CODE.rglob("*.sql") if file.parent.name != "migrations"),
        *(ROOT / "tests").rglob("*.py"),
        *(ROOT / "docs").rglob("*.md"),
        ROOT / "README.md",
    ]
    return {file: file.read_text() for file in files if file != Path(__file__)}


def bold_words() -> list[str]:
    first_cells = re.findall(r"^\| (\*\*[^|]+) \|", WORDS.read_text(), re.MULTILINE)
    return [word for cell in first_cells for word in re.findall(r"\*\*([^*]+)\*\*", cell)]


def forms_of(word: str) -> tuple[str, ...]:
    """Return a word as it stands in prose, in names of functions and in names of classes."""
    return word, word.replace(" ", "_"), word.replace(" ", "")


def test_no_class_name_stands_for_two_things() -> None:
    places = defaultdict[str, list[str]](list)
    for file in sorted(CODE.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ClassDef):
                places[node.name].append(str(file.relative_to(CODE)))
    twice = {name: where for name, where in places.items() if len(where) > 1}
    assert twice == {}


@pytest.mark.parametrize("word", RETIRED)
def test_a_retired_word_stands_nowhere(word: str) -> None:
    pattern = re.compile(rf"(?<![A-Za-z])(?:{word})(?![A-Za-z])")
    found = {file for file, text in texts().items() if pattern.search(text)}
    assert found == {file for file, old in READS_OLD_VALUES if old == word}


def test_every_word_of_the_page_is_in_use() -> None:
    used = "\n".join(text for file, text in texts().items() if file != WORDS).lower()
    words = bold_words()
    assert [word for word in words if not any(form in used for form in forms_of(word))] == []
    assert len(words) == len(set(words)) > 50
