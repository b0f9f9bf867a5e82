"""Integers that JSON has and CEL does not."""

import itertools
from typing import Any

import pytest

from dagster_pgflow.expressions.cel import expression, value_expression

LARGE = 2**64
NUMBERS = [-(10**400), -LARGE - 1, -LARGE, 0, 2**63, LARGE, LARGE + 1, 10**400, 10**401]


@pytest.mark.parametrize("number", [LARGE, -(10**40), 10**400])
def test_what_does_not_ask_for_a_large_integer_is_answered(number: int) -> None:
    data = {"a": 2, "b": [{"c": number}]}
    assert expression("input.a > 1 && size(input.b) == 1").holds({"input": data})
    assert value_expression("input.a").value({"input": data}) == 2


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("input.a > 100", True),
        ("100 > input.a", False),
        ("input.a == 100", False),
        ("input.a == 18446744073709551616.0", True),
        ("type(input.a) == double", True),
        ("input.a in input.b", True),
    ],
)
def test_a_large_integer_is_compared_as_a_number(text: str, answer: bool) -> None:
    assert expression(text).holds({"input": {"a": LARGE, "b": [LARGE]}}) is answer


def test_two_of_nearly_the_same_size_differ_and_keep_their_order() -> None:
    for low, high in itertools.pairwise(NUMBERS):
        values: dict[str, Any] = {"input": {"low": low, "all": NUMBERS}, "output": high}
        assert expression("input.low < output && input.low != output").holds(values)
    values = {"input": LARGE + 1, "output": LARGE + 1}
    assert expression("input == output").holds(values)


def test_what_hands_a_large_integer_on_gives_exactly_that() -> None:
    values: dict[str, Any] = {"input": {"n": NUMBERS, "x": 0.5, "yes": True}}
    assert value_expression("{'all': input}").value(values) == {"all": values["input"]}
    assert value_expression("input.n[6]").value(values) == LARGE + 1
