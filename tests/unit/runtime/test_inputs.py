"""Whether a flow's input fits its schema."""

from pathlib import Path
from typing import Any

import pytest

from dagster_pgflow.runtime.inputs import breach

ORDER = {
    "type": "object",
    "required": ["card"],
    "properties": {"card": {"$ref": "#/$defs/card"}},
    "$defs": {"card": {"type": "string", "pattern": "^[0-9]+$"}},
}


@pytest.mark.parametrize("schema", [None, {}, ORDER])
def test_an_input_that_fits_is_no_breach(schema: dict[str, Any] | None) -> None:
    assert breach(schema, {"card": "4111"}) is None


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ({}, "$: 'card' is a required property"),
        ({"card": 4111}, "$.card: 4111 is not of type 'string'"),
        ({"card": "x"}, "$.card: 'x' does not match '^[0-9]+$'"),
        (None, "$: None is not of type 'object'"),
    ],
)
def test_a_breach_says_where_and_how(value: Any, reason: str) -> None:
    assert breach(ORDER, value) == reason


@pytest.mark.parametrize(
    "schema",
    [{"type": 5}, {"type": "strin"}, {"properties": 5}, {"$ref": "#/nowhere"}, {"$ref": "#"}],
)
def test_a_schema_that_cannot_be_used_is_a_breach_and_no_crash(schema: dict[str, Any]) -> None:
    reason = breach(schema, {"a": 1})
    assert reason is not None
    assert reason.startswith("the schema itself cannot be used: ")
    assert "\n" not in reason


def test_a_schema_cannot_make_us_open_files_or_urls(tmp_path: Path) -> None:
    other = tmp_path / "other.json"
    other.write_text("{}")
    for reference in (other.as_uri(), "http://127.0.0.1:9/schema"):
        reason = breach({"$ref": reference}, {})
        assert reason is not None
        assert "Unresolvable" in reason
