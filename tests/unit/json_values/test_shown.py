"""What people see of a value: little of a large one, nothing of a secret, and no character acts."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagster_pgflow.json_values.secret_names import keeps_secret
from dagster_pgflow.json_values.shown import LONGEST_VALUE, in_one_line, shown, shown_at

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (0.5, "0.5"),
        (float("nan"), "NaN"),
        ("<b>it's</b>", '''"<b>it's</b>"'''),
        ("a\nb\x1b[31m\x9b\u202e\ud800\u2028", r'"a\nb\u001b[31m\u009b\u202e\ud800\u2028"'),
        ("Käse, 10 €, 😀", '"Käse, 10 €, 😀"'),
        ({}, "{}"),
        ([], "[]"),
        ({"a": [1, {"b": None}]}, '{"a": [1, {"b": null}]}'),
        ({"user": {"password": "x", "pin": 1}}, '{"user": {"password": ***, "pin": 1}}'),
        (b"x", "[120]"),
        (object(), "(object)"),
    ],
)
def test_a_value_is_shown_as_json_in_which_no_character_does_anything(
    value: Any, text: str
) -> None:
    assert shown(value) == text


def test_of_what_is_large_the_beginning_is_shown_and_how_much_there_is() -> None:
    assert shown("x" * 1_000_000, 3) == '"xx … (1,000,000 characters)'
    assert shown([1] * 5_000, 5) == "[1, 1 … (5,000 elements)"
    assert shown({str(n): n for n in range(200)}, 5) == '{"0": … (200 keys)'
    assert shown(10**5_000).startswith("(a number of 16610 bits)")
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    assert shown(deep) == f"{'[' * LONGEST_VALUE} … (1 elements)"


@given(VALUES)
def test_what_is_shown_is_one_line_of_bounded_length_that_every_encoding_has(value: Any) -> None:
    text = shown(value)
    assert len(text) <= LONGEST_VALUE + 40
    assert text.isprintable()
    text.encode()


@given(st.text())
def test_a_text_is_put_into_one_line(text: str) -> None:
    line = in_one_line(text, 20)
    assert len(line) <= 22
    assert line.isprintable()
    line.encode()


@pytest.mark.parametrize(
    "name",
    [
        "password", "Password", "userPassword", "user_password1", "PASSWORD_HASH", "api_key",
        "apiKey", "X-API-Key", "clientSecret", "authorization", "accessToken", "card_number",
        "input.credentials.user", "deps.login.session_id",
    ],
)  # fmt: skip
def test_what_its_name_calls_a_secret_is_not_shown(name: str) -> None:
    assert keeps_secret(name, "x")
    assert shown_at(name, "x") == "***"
    assert json.dumps("x") not in shown({name: ["x"]})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("total", 3), ("tokens", 4_000), ("token_count", 7), ("has_password", True),
        ("password", None), ("secretary", "Ann"), ("key", "k"), ("number", 1), ("compass", "N"),
    ],
)  # fmt: skip
def test_what_only_looks_like_one_is_shown(name: str, value: Any) -> None:
    assert not keeps_secret(name, value)
