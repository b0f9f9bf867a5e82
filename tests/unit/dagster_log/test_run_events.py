"""What a run takes over from the one that it goes on with."""

from datetime import UTC, datetime

from dagster_pgflow.dagster_log.run_events import RunEvent, RunEventKind, reused_events

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def seen(kind: RunEventKind, step_key: str) -> RunEvent:
    return RunEvent(1, NOON, kind, step_key)


def reused(executed: set[str], *run_events: RunEvent) -> list[str]:
    return [event.step_key for event in reused_events(run_events, frozenset(executed))]


def test_only_what_is_done_is_taken_over() -> None:
    before = [seen("started", "a"), seen("succeeded", "a"), seen("failed", "b")]
    assert reused({"b"}, *before) == ["a"]


def test_no_element_of_a_list_is_taken_over_that_is_sent_out_again() -> None:
    before = [seen("succeeded", key) for key in ("list", "m__fan_out", "m[0]", "m[1]", "n[0]")]
    assert reused({"m__fan_out", "m[?]", "j"}, *before) == ["list", "n[0]"]
    assert reused({"m[1]", "j"}, *before) == ["list", "m__fan_out", "m[0]", "n[0]"]
