"""Texts of manifests with something changed in them: each is a flow, or told in sentences."""

import random

import pytest

from dagster_pgflow import read_manifest
from dagster_pgflow.errors import InvalidFlow
from tests.unit.dsl.manifest.reads import MANIFESTS

TEXTS = [path.read_text() for path in sorted(MANIFESTS.rglob("*.*"))]
PIECES = (
    *'{}[]()"\\:#_;^/,0 \n',
    "nil",
    "#{",
    "##NaN",
    '#pgflow/cel "1"',
    "1/2",
    "\\a",
    "[[]]",
    "\0",
)


@pytest.mark.parametrize("seed", range(3))
def test_whatever_is_changed_in_a_text_there_is_an_answer(seed: int) -> None:
    drawn = random.Random(seed)
    for _ in range(100):
        text = drawn.choice(TEXTS)
        for _ in range(drawn.randint(1, 6)):
            at = drawn.randrange(len(text))
            gone = drawn.choice((0, 0, drawn.randint(1, 12)))
            text = f"{text[:at]}{drawn.choice(PIECES)}{text[at + gone :]}"
        for sentence in told_of(text):
            assert sentence.endswith((".", "?"))


def told_of(text: str) -> list[str]:
    """Returns what is wrong with a text, at least one sentence; nothing of one that is a flow."""
    try:
        flow = read_manifest(text, folder=MANIFESTS)
    except InvalidFlow as invalid:
        return [problem.message for problem in invalid.problems] or ["Refused without a reason"]
    return [] if flow.steps else ["A flow without steps"]
