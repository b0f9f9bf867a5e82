"""Reports as JSON: what stands in Dagster's log for as long as that is kept."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagster_pgflow.reports import from_json, to_json
from dagster_pgflow.reports.inlined import INLINE_BYTES, inlined, json_size
from dagster_pgflow.reports.reading import UnreadableReport
from dagster_pgflow.reports.report import VERSION, OpReport
from tests.unit.reports.drawn_reports import reports
from tests.unit.reports.every_kind import EVERY_KIND


@pytest.mark.parametrize(("report", "told"), EVERY_KIND)
def test_each_report_has_the_json_that_it_always_had(report: OpReport, told: Any) -> None:
    assert to_json(report) == told
    assert from_json(json.loads(json.dumps(told))) == report


@given(reports())
def test_what_was_written_is_read(report: OpReport) -> None:
    assert from_json(json.loads(json.dumps(to_json(report)))) == report


@given(reports(), st.dictionaries(st.text(min_size=20), st.integers()))
def test_fields_that_nobody_knows_are_left_out(report: OpReport, more: dict[str, int]) -> None:
    assert from_json(more | to_json(report)) == report


@given(reports(), st.data())
def test_a_report_with_a_wrong_field_is_refused_and_nothing_else_happens(
    report: OpReport, data: st.DataObject
) -> None:
    told = to_json(report)
    wrong: Any = st.sampled_from([None, True, -1, 1.5, "a..b", [], [[]], {}, {"a": {}}])
    told[data.draw(st.sampled_from(sorted(told)))] = data.draw(wrong)
    with suppress(UnreadableReport):
        from_json(told)


@given(reports(), st.data())
def test_a_report_without_one_of_its_fields_is_refused_or_read(
    report: OpReport, data: st.DataObject
) -> None:
    told = to_json(report)
    del told[data.draw(st.sampled_from(sorted(told)))]
    with suppress(UnreadableReport):
        from_json(told)


@pytest.mark.parametrize("told", [{}, {"status": "done"}, {"status": None}, {"status": []}])
def test_what_is_no_report_is_refused(told: dict[str, Any]) -> None:
    with pytest.raises(UnreadableReport):
        from_json(told)


def test_what_is_refused_may_be_large_and_deep() -> None:
    deep: Any = []
    for _ in range(20_000):
        deep = [deep]
    with pytest.raises(UnreadableReport, match="a list"):
        from_json({"status": deep, "version": VERSION})


def test_a_report_of_a_version_to_come_is_refused_in_a_sentence() -> None:
    told = to_json(EVERY_KIND[0][0]) | {"version": VERSION + 1}
    with pytest.raises(UnreadableReport, match=f"those up to {VERSION}; upgrade dagster-pgflow"):
        from_json(told)


@pytest.mark.parametrize("version", [-1, "1", None, 1.0, True, []])
def test_a_version_is_a_number(version: Any) -> None:
    told = to_json(EVERY_KIND[0][0]) | {"version": version}
    with pytest.raises(UnreadableReport, match="version"):
        from_json(told)


def test_values_up_to_a_limit_travel_in_the_report() -> None:
    fits = "x" * (INLINE_BYTES - 2)
    assert inlined(fits, json_size(fits)) is not None
    assert inlined(f"{fits}x", json_size(f"{fits}x")) is None
    assert inlined(None, json_size(None)) is not None


def test_the_size_of_json_is_that_of_its_utf8_text() -> None:
    assert json_size("é") == 4
    assert json_size([1, 2]) == 6
