import json
import uuid
from typing import Any

import pytest

from dagster_pgflow.errors import StoreRefused
from dagster_pgflow.store.outputs import OutputKey, OutputStore, StoredOutput
from tests.postgres import Session

RUN = uuid.UUID("0b6ae7a2-5a1c-4a3f-9a44-3f1d8d3c1a01")
KEY = OutputKey(RUN, "payment.receipt")


@pytest.mark.parametrize(
    "value",
    [
        *(None, False, 0, "", [], {}, 1.0, 1e16, -0.0, 10**30, [None, 0]),
        *("a\0b", "half \ud800", "é"),
        {"b": 1, "a": 2},
    ],
)
def test_a_value_comes_back_to_the_letter(outputs: OutputStore, value: Any) -> None:
    text = json.dumps(value)
    outputs.put(KEY, text)
    stored = outputs.get(KEY)
    assert stored is not None
    assert stored.text == text
    assert repr(stored.value) == repr(value)
    assert (stored.location, stored.size_bytes) == (None, len(text))


def test_keys_tell_outputs_apart(outputs: OutputStore) -> None:
    keys = [
        KEY,
        OutputKey(uuid.uuid4(), KEY.step_key),
        OutputKey(RUN, "process[00007]"),
        OutputKey(RUN, KEY.step_key, "for_process"),
        OutputKey(RUN, KEY.step_key, "for_process", "00001"),
    ]
    for number, key in enumerate(keys):
        outputs.put(key, str(number))
    found = [outputs.get(key) for key in keys]
    assert [stored and stored.value for stored in found] == [0, 1, 2, 3, 4]
    assert outputs.get(OutputKey(RUN, "other")) is None


def test_a_later_attempt_replaces_an_earlier_one(outputs: OutputStore) -> None:
    outputs.put(KEY, "1")
    outputs.put_all([StoredOutput(KEY, None, "s3://bucket/x", 12345)])
    stored = outputs.get(KEY)
    assert stored is not None
    assert (stored.text, stored.location, stored.size_bytes) == (None, "s3://bucket/x", 12345)
    with pytest.raises(LookupError, match="s3://bucket/x"):
        _ = stored.value
    outputs.put(KEY, "2")
    again = outputs.get(KEY)
    assert again is not None
    assert (again.text, again.location) == ("2", None)


def test_the_outputs_of_a_run_are_listed(outputs: OutputStore) -> None:
    outputs.put(OutputKey(RUN, "b"), "2")
    outputs.put(OutputKey(RUN, "a"), "1")
    outputs.put(OutputKey(RUN, "a", "for_b", "0"), "3")
    outputs.put(OutputKey(uuid.uuid4(), "a"), "4")
    assert [stored.value for stored in outputs.of_run(RUN)] == [3, 1, 2]
    assert [stored.value for stored in outputs.of_run(RUN, "result")] == [1, 2]
    assert outputs.of_run(uuid.uuid4()) == ()


def test_what_is_no_json_is_refused(outputs: OutputStore) -> None:
    with pytest.raises(StoreRefused, match="json"):
        outputs.put(KEY, "{not json")


def test_a_value_and_a_location_exclude_each_other(sql: Session) -> None:
    with pytest.raises(Exception, match="value_is_here_or_elsewhere"):
        sql(
            "insert into pgflow.step_outputs (dagster_run_id, step_key, output_name, size_bytes)"
            " values (%s, 'a', 'result', 0)",
            str(RUN),
        )
