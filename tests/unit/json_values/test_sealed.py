import json
from typing import Any

import dagster as dg
import pytest
from dagster_shared.serdes import deserialize_value, serialize_value
from hypothesis import given

from dagster_pgflow.json_values.sealed import SEALED_KEY, seal, unseal
from dagster_pgflow.step_errors import ValueNotJson
from tests import hostile_json
from tests.hostile_json import DAGSTER_KEYS, MEANT, OWN_KEYS, nested


def through_dagster(value: Any) -> Any:
    """Write and read a value as Dagster does: in a request, in run config, in metadata."""
    request = dg.RunRequest(run_config={"inputs": {"flow_input": seal(value)}})
    read = deserialize_value(serialize_value(request), dg.RunRequest)
    metadata = dg.MetadataValue.json(seal({"output": value}))
    told = deserialize_value(serialize_value(metadata), dg.JsonMetadataValue)
    assert same(unseal(told.value), {"output": value})
    return unseal(read.run_config["inputs"]["flow_input"])


def same(one: Any, other: Any) -> bool:
    """Return whether values are equal, types of numbers and booleans included."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


@given(hostile_json.accepted)
def test_any_value_comes_out_of_dagster_as_it_went_in(value: Any) -> None:
    assert same(through_dagster(value), value)


@pytest.mark.parametrize("value", MEANT)
def test_a_key_that_means_something_means_nothing_in_a_value(value: Any) -> None:
    for wrapped in (value, [value], {"a": {"b": [value]}}, {SEALED_KEY: value}):
        assert same(through_dagster(wrapped), wrapped)


@pytest.mark.parametrize("key", [*DAGSTER_KEYS, *OWN_KEYS])
def test_no_such_key_reaches_dagster_as_a_key(key: str) -> None:
    sealed = seal({"a": [{key: 1}]})
    assert list(sealed) == [SEALED_KEY]
    assert isinstance(sealed[SEALED_KEY], str)


@pytest.mark.parametrize("value", [None, 7, -0.5, "text", [], {}, {"a": [1, {"b": None}]}, "ä🙂"])
def test_what_is_harmless_stays_readable(value: Any) -> None:
    assert seal(value) is value


@pytest.mark.parametrize("value", [2**53 + 1, nested(1, 30), ["x"] * 5000, "\x00", "\ud800"])
def test_what_might_not_be_harmless_is_text(value: Any) -> None:
    assert list(seal(value)) == [SEALED_KEY]
    assert same(through_dagster(value), value)


def test_what_is_sealed_is_deep_enough_for_values_put_together() -> None:
    value = nested({"__class__": "SensorTick"}, 300, lambda inner: {"step": inner})
    assert same(through_dagster(value), value)


def test_what_only_looks_sealed_is_refused_with_a_sentence() -> None:
    with pytest.raises(ValueNotJson, match='The text under "dagster-pgflow/json" is not JSON'):
        unseal({SEALED_KEY: "{"})
