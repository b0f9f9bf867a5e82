"""What one execution of a step reports."""

import json

from dagster_pgflow.runtime import outcome
from dagster_pgflow.runtime.outcome import INLINE_BYTES, TaskReport
from dagster_pgflow.runtime.values import Skipped

DONE = TaskReport(0, "completed", 2, 10.0, 12.5)
FAILED = TaskReport(1, "failed", 3, 10.0, 12.5, "oops")


def test_a_completed_step_reports_its_output_and_its_tasks() -> None:
    report = outcome.completed({"a": None}, [DONE], "host:1")
    assert report == {
        "status": "completed",
        "output": {"a": None},
        "output_bytes": len(b'{"a": null}'),
        "worker": "host:1",
        "tasks": [
            {
                "index": 0,
                "status": "completed",
                "attempts": 2,
                "started_at": 10.0,
                "completed_at": 12.5,
            }
        ],
    }
    assert json.loads(json.dumps(report)) == report


def test_an_output_of_null_is_told_from_none_that_is_too_large() -> None:
    assert outcome.completed(None, [], "w")["output"] is None
    assert "output" not in outcome.completed("x" * INLINE_BYTES, [], "w")


def test_outputs_up_to_a_limit_travel_in_the_event_log() -> None:
    fits = "x" * (INLINE_BYTES - 2)
    assert outcome.completed(fits, [], "w")["output"] == fits
    assert outcome.completed(fits + "x", [], "w")["output_bytes"] == INLINE_BYTES + 1


def test_a_failed_step_reports_the_errors_of_its_tasks() -> None:
    report = outcome.failed("oops", "s.a", [DONE, FAILED], "w")
    assert (report["status"], report["error"]) == ("failed", "oops")
    assert [task.get("error") for task in report["tasks"]] == [None, "oops"]


def test_a_skipped_step_reports_why() -> None:
    report = outcome.skipped(Skipped("handler_failed", ("a",)), [FAILED], "w")
    assert (report["status"], report["skip_reason"]) == ("skipped", "handler_failed")
    assert len(report["tasks"]) == 1
