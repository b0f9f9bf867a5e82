import math
from typing import Any

import pytest
from hypothesis import given

from dagster_pgflow.json_values.limits import (
    TOO_DEEP,
    TOO_LARGE,
    TOO_LONG,
    problem_of,
)
from dagster_pgflow.json_values.text import read_json, write_json
from dagster_pgflow.limits import MOST_DIGITS, MOST_LEVELS
from dagster_pgflow.step_errors import ValueNotJson
from tests import hostile_json
from tests.hostile_json import nested


@given(hostile_json.accepted)
def test_what_is_within_the_limits_is_read_back_as_it_was_written(value: Any) -> None:
    assert problem_of(value) is None
    assert read_json(write_json(value, "It"), "It") == value


@given(hostile_json.beyond)
def test_what_is_beyond_the_limits_is_told_whatever_its_form(value: Any) -> None:
    assert problem_of(value) in (TOO_DEEP, TOO_LONG)


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (nested([], MOST_LEVELS - 1), None),
        (nested({}, MOST_LEVELS), TOO_DEEP),
        (nested(1, MOST_LEVELS), None),
        (nested(1, MOST_LEVELS + 1), TOO_DEEP),
        (nested([], 100_000), TOO_DEEP),
        (10**MOST_DIGITS - 1, None),
        (-(10**MOST_DIGITS), TOO_LONG),
        ([10**5000, nested(1, MOST_LEVELS)], TOO_DEEP),
        ({"a": math.inf}, TOO_LARGE),
    ],
)
def test_a_limit_lies_where_the_sentence_says(value: Any, problem: str | None) -> None:
    assert problem_of(value) == problem


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[" * 101 + "]" * 101, TOO_DEEP),
        ("[" * 100_000 + "]" * 100_000, TOO_DEEP),
        ("1" * 1001, TOO_LONG),
        ("1" * 5000, TOO_LONG),
        (f"{'9' * 400}.5", TOO_LARGE),
        ("1e400", TOO_LARGE),
        ("NaN", "it says NaN"),
        ("[1", "is not JSON"),
    ],
)
def test_a_text_that_cannot_be_taken_is_refused_with_a_sentence(text: str, reason: str) -> None:
    with pytest.raises(ValueNotJson, match="The input of flow") as refused:
        read_json(text, "The input of flow")
    assert reason in str(refused.value)


def test_what_has_no_json_form_is_refused_with_a_sentence() -> None:
    for value in (math.nan, {1, 2}, nested(1, 100_000), 10**5000):
        with pytest.raises(ValueNotJson, match="The output"):
            write_json(value, "The output")
