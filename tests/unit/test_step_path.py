"""The place of a step in a run."""

import doctest
import json
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagster_pgflow import step_path
from dagster_pgflow.step_path import RUN, StepPath

SLUGS = st.from_regex(r"[a-zA-Z_][a-zA-Z0-9_]{0,9}", fullmatch=True)
PARTS = st.tuples(SLUGS, st.none() | st.integers(0, 12_345))


def test_the_examples_hold() -> None:
    assert doctest.testmod(step_path).failed == 0


@given(st.lists(PARTS, max_size=5))
def test_what_is_put_together_is_read_again(parts: list[tuple[str, int | None]]) -> None:
    path = RUN
    for slug, number in parts:
        path = path.to(slug).at(number)
    assert StepPath(str(path)) == path
    assert [(one.slug, one.number) for one in path.from_outside()] == parts


@given(st.lists(PARTS, min_size=1, max_size=5))
def test_a_place_lies_in_every_scope_around_it(parts: list[tuple[str, int | None]]) -> None:
    path = StepPath(".".join(slug if n is None else f"{slug}[{n}]" for slug, n in parts))
    assert path.scope.to(path.slug).at(path.number) == path
    assert path.step.at(path.number) == path
    assert all(path.is_in(around) for around in [RUN, *path.from_outside()])
    assert not path.scope.is_in(path)
    assert not path.is_in(path.to("further"))


@pytest.mark.parametrize(
    "text",
    [".", "a.", ".a", "a..b", "a[", "a[]", "a[x]", "a[-1]", "a[01]", "[1]", "a[1]b", "a[1][2]"],
)
def test_what_is_no_place_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no place of a step"):
        StepPath(text)


def test_a_slug_that_another_one_begins_with_is_another_place() -> None:
    assert not StepPath("pay_2.charge").is_in("pay")
    assert not StepPath("pay[12]").is_in("pay[1]")
    assert StepPath("pay_2.charge").below("pay") is None
    assert StepPath("pay").below("pay") is None


def test_it_is_the_text_that_stands_in_rows() -> None:
    path = StepPath("pay[3].charge")
    assert (path, hash(path)) == ("pay[3].charge", hash("pay[3].charge"))
    assert json.dumps({"step": path}) == '{"step": "pay[3].charge"}'
    assert type(str(path)) is str
    assert pickle.loads(pickle.dumps(path)) == path  # noqa: S301
