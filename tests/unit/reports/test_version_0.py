"""Reports of version 0 say today what they said then."""

from typing import Any

import pytest

from dagster_pgflow.reports import from_json, to_json
from dagster_pgflow.reports.earlier import batch_size_in_version_0
from dagster_pgflow.reports.report import FanOut, StepCompleted, StepFailed, StepSkipped
from dagster_pgflow.step_path import StepPath
from tests.unit.reports.written_before import VERSION_0

NEW_NAMES = {"ends_way": "ends_route"}


def of_status(status: str, field: str) -> dict[str, Any]:
    return next(data for data in VERSION_0 if data["status"] == status and field in data)


@pytest.mark.parametrize("data", VERSION_0, ids=lambda data: data["status"])
def test_nothing_of_a_report_is_lost(data: dict[str, Any]) -> None:
    written = to_json(from_json(data))
    kept = {NEW_NAMES.get(name, name): value for name, value in data.items() if value != []}
    assert {name: written[name] for name in kept if name != "taken"} == {
        name: value for name, value in kept.items() if name != "taken"
    }
    assert written.get("taken") == data.get("taken")
    assert from_json(written) == from_json(data)


def test_a_way_that_ends_is_a_route_that_ends() -> None:
    report = from_json(of_status("skipped", "ends_way"))
    assert isinstance(report, StepSkipped)
    assert report.ends_route


def test_batches_have_no_size() -> None:
    report = from_json(of_status("completed", "fans_out"))
    assert isinstance(report, StepCompleted)
    assert report.fans_out == {"m": FanOut(2, 2, None)}


def test_a_failure_without_a_place_is_one_of_its_step() -> None:
    data = of_status("failed", "failed_subflow")
    report = from_json({name: data[name] for name in data if name not in ("place", "failed_step")})
    assert isinstance(report, StepFailed)
    assert (report.place, report.failed_step) == (StepPath("s.m"), StepPath("s.m"))


def test_the_batches_of_then_have_the_sizes_of_then() -> None:
    sizes = {count: batch_size_in_version_0(count) for count in (0, 1, 100, 101, 120, 10_000)}
    assert sizes == {0: 1, 1: 1, 100: 1, 101: 6, 120: 6, 10_000: 500}
