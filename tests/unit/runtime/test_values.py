"""What travels between steps."""

import json
import math
from collections import OrderedDict
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from dagster_pgflow.names import BATCH_KEY, SKIPPED_KEY
from dagster_pgflow.runtime.values import Batch, Skipped, from_wire, to_json, to_wire
from dagster_pgflow.step_errors import ValueNotJson
from dagster_pgflow.step_path import StepPath
from tests import hostile_json
from tests.hostile_json import MEANT, nested


class Item(BaseModel):
    name: str
    at: date


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["a", "b", ""]), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@given(json_values)
def test_json_stays_as_it_is(value: Any) -> None:
    assert to_json(value) == value
    assert from_wire(to_json(value)) == value


@pytest.mark.parametrize("value", [None, 0, False, "", [], {}, 0.0, -0.0])
def test_falsy_values_stay_what_they_are(value: Any) -> None:
    assert repr(to_json(value)) == repr(value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ((1, (2,)), [1, [2]]),
        (range(3), [0, 1, 2]),
        (OrderedDict(b=1, a=2), {"b": 1, "a": 2}),
        (Item(name="x", at=date(2026, 7, 1)), {"name": "x", "at": "2026-07-01"}),
        ([Item(name="x", at=date(2026, 7, 1))], [{"name": "x", "at": "2026-07-01"}]),
    ],
)
def test_tuples_sequences_mappings_and_models_become_json(value: Any, expected: Any) -> None:
    assert to_json(value) == expected
    assert list(json.loads(json.dumps(to_json(value)))) == list(expected)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"a": [1, {2, 3}]}, r"The value at \$\.a\[1\] is a set, which is not JSON"),
        (b"x", r"The value at \$ is a bytes"),
        (date(2026, 7, 1), r"is a date, which is not JSON"),
        (object(), r"is a object, which is not JSON"),
        (iter([]), r"which is not JSON"),
        ([math.nan], r"The value at \$\[0\] is nan, which JSON does not have"),
        (-math.inf, r"is -inf, which JSON does not have"),
        ({1: 2}, r"The object at \$ has a key that is a int; JSON keys are strings"),
        ({"a": {None: 2}}, r"The object at \$\.a has a key that is a NoneType"),
        ({10**5000: 2}, r"The object at \$ has a key that is a int"),
        ("a\0b", r"The text at \$ has a NUL character, which PostgreSQL cannot store"),
        ({"a\0": 1}, r"A key of the object at \$ has a NUL character"),
        ([10**5000], r"The value at \$\[0\] is refused: it has a number of more than 1,000 digits"),
        (nested(1, 101), r"The value is refused: it is nested more than 100 levels deep"),
        ("\ud800", r"has a lone surrogate, which is not valid Unicode"),
    ],
)
def test_what_is_not_json_is_refused_with_its_place(value: Any, message: str) -> None:
    with pytest.raises(ValueNotJson, match=message):
        to_json(value)


def test_a_value_that_contains_itself_is_refused() -> None:
    circle: list[Any] = []
    circle.append(circle)
    with pytest.raises(ValueNotJson, match="nested more than 100 levels deep"):
        to_json(circle)


@pytest.mark.parametrize(
    "marker",
    [
        Skipped("condition_unmet", StepPath("a")),
        Skipped("dependency_skipped", StepPath("pay.charge"), cascade=True),
        Batch(0, ()),
        Batch(7, (None, 0, {"a": [1]})),
        Batch(0, (), 0, "Map step needs a list."),
    ],
)
def test_markers_travel_as_json(marker: Skipped | Batch) -> None:
    assert from_wire(json.loads(json.dumps(marker.to_wire()))) == marker


@given(hostile_json.accepted)
def test_any_json_travels_as_what_it_is(value: Any) -> None:
    assert to_json(value) == value
    assert from_wire(json.loads(json.dumps(to_wire(to_json(value))))) == value


@pytest.mark.parametrize("value", MEANT)
def test_what_looks_like_a_marker_travels_as_what_it_is(value: Any) -> None:
    assert from_wire(to_wire(value)) == value
    assert from_wire(to_wire(Batch(0, (value,)))) == Batch(0, (value,))


@pytest.mark.parametrize("key", [SKIPPED_KEY, BATCH_KEY])
def test_an_object_that_only_has_such_a_key_among_others_is_no_marker(key: str) -> None:
    assert from_wire({key: 1, "a": 2}) == {key: 1, "a": 2}


@pytest.mark.parametrize(
    ("frame", "inside"),
    [("", False), ("a", True), ("a.b", True), ("b", False), ("ab", False), ("a[0].b", False)],
)
def test_a_skipped_subflow_encloses_what_lies_in_it(frame: str, inside: bool) -> None:
    assert Skipped("condition_unmet", StepPath("a")).encloses(StepPath(frame)) is inside
