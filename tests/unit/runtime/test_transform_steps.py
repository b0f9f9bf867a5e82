"""What `pgflow.transform` does to texts."""

from typing import Any

import pytest

from dagster_pgflow.step_errors import NonRetryable
from tests.unit.runtime.nodes import output_of


@pytest.mark.parametrize(
    ("params", "value", "depends_on", "output"),
    [
        ({"transformation": "uppercase"}, "straße é", (), "STRASSE É"),
        ({"transformation": "lowercase"}, {"a": "ÀB"}, ("a",), "àb"),
        ({"transformation": "trim"}, {"a": "\t a b\n"}, ("a",), "a b"),
        ({"transformation": "trim", "expression": "input.a + $"}, {"a": " x "}, ("a",), "x  x"),
        (
            {"transformation": "uppercase", "expression": {"n": "deps.a.n", "m": "deps.b"}},
            {"a": {"n": "x"}, "b": "y"},
            ("a", "b"),
            {"n": "X", "m": "Y"},
        ),
    ],
)
def test_a_transformation_changes_what_the_expressions_give(
    params: dict[str, Any], value: Any, depends_on: tuple[str, ...], output: Any
) -> None:
    assert output_of("transform", params, value, depends_on=depends_on) == output


@pytest.mark.parametrize(
    ("params", "value", "depends_on", "words"),
    [
        ({"transformation": "trim"}, 7, (), "What the step receives is a number, and trim takes"),
        ({"transformation": "trim"}, {"a": "x", "b": "y"}, ("a", "b"), "receives is an object"),
        ({"transformation": "trim"}, {}, ("a",), 'There is nothing to work on: step "a" was'),
        (
            {"transformation": "trim", "expression": {"n": "input.n"}},
            {"n": None},
            (),
            "expression.n `input.n` is null, and trim takes text",
        ),
        ({"transformation": "$input.x"}, "a", (), "transformation: Input should be 'uppercase'"),
    ],
)
def test_what_is_no_text_fails_the_step(
    params: dict[str, Any], value: Any, depends_on: tuple[str, ...], words: str
) -> None:
    with pytest.raises(NonRetryable, match=words):
        output_of("transform", params, value, depends_on=depends_on, flow_input={"x": "shout"})
