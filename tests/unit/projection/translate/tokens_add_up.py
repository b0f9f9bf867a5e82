"""Checks of the tokens of a run against everything else that its log says."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from dagster_pgflow.model.run_state import LogEvent, RunState
from dagster_pgflow.projection.fold.executed import delta_of

ENDED = ("completed", "failed", "skipped", "cancelled")


def assert_tokens_add_up(events: Sequence[LogEvent], state: RunState) -> None:
    """Checks the counter at the end of a log, and the rows that follow from its tokens."""
    execution, is_over = state.execution, state.run.status in ENDED
    counter = sum(delta_of(event) for event in events)
    assert (counter == 0) == is_over
    assert sum(row.delta for row in execution.applied) == counter
    assert execution.snapshots[-1].counter == counter
    assert execution.snapshots[-1].sequence_num == len(events)
    assert not (is_over and execution.pending)
    assert all(row.counter >= 0 for row in execution.snapshots)
    assert_every_token_is_consumed_once(events, is_over=is_over)
    assert execution.statistics is not None
    assert execution.statistics.tokens_emitted - execution.statistics.tokens_consumed == counter


def assert_every_token_is_consumed_once(events: Sequence[LogEvent], *, is_over: bool) -> None:
    lying: Counter[tuple[str | None, str | None]] = Counter()
    for event in events:
        told = event.event_data
        if event.event_type == "token.emitted":
            lying[told["from_node"], told["to_node"]] += 1
            assert lying[told["from_node"], told["to_node"]] == 1, told
        elif event.event_type == "token.consumed":
            assert told["tokens"] == len(told["from_nodes"])
            for from_node in told["from_nodes"]:
                lying[from_node, told["to_node"]] -= 1
                assert lying[from_node, told["to_node"]] == 0, told
            assert_it_is_asked_where_tokens_leave(told, lying)
    assert not (is_over and lying.total())


def assert_it_is_asked_where_tokens_leave(
    told: Mapping[str, Any], lying: Counter[tuple[str | None, str | None]]
) -> None:
    """Checks that it is asked if all is done where no step goes on, there only, and rightly."""
    node = told["to_node"]
    inside = f"{node}.", f"{node}["
    led_to = {
        to_node
        for (from_node, to_node), count in lying.items()
        if count and from_node == node and not str(to_node).startswith(inside)
    }
    may_be_last = node is not None and led_to <= {None}
    assert ("last" in told) == may_be_last, told
    if may_be_last:
        assert told["last"] == all(to is None for (_, to), count in lying.items() if count), told


def assert_statistics_equal_a_recount(events: Sequence[LogEvent], state: RunState) -> None:
    told = state.execution.statistics
    assert told is not None
    emitted = [event for event in events if event.event_type == "token.emitted"]
    consumed = [event for event in events if event.event_type == "token.consumed"]
    assert told.tokens_emitted == len(emitted)
    assert told.tokens_consumed == sum(event.event_data["tokens"] for event in consumed)
    tried = {row.step_path for row in state.attempts}
    by_status = Counter(row.status for row in state.steps)
    assert told.nodes_executed == sum(
        row.status == "completed" and row.step_path in tried for row in state.steps
    )
    assert (told.nodes_failed, told.nodes_skipped) == (by_status["failed"], by_status["skipped"])
    tasks = {(row.step_path, row.task_index) for row in state.attempts}
    assert told.retries == len(state.attempts) - len(tasks)
    left = [event for event in consumed if event.event_data["to_node"] is not None]
    checks = [event.event_data["last"] for event in left if "last" in event.event_data]
    assert told.completion_checks == len(checks)
    assert told.completion_checks_saved == len(left) - len(checks)
    assert (told.steps_done_at is not None) == (True in checks)


def assert_no_step_begins_without_tokens(events: Sequence[LogEvent], state: RunState) -> None:
    """Checks that a run only does what it has come to, and goes on from there.

    What goes on beside a failure comes to a subflow step that has ended, and a pipelined step may
    have begun behind one that fails.
    """
    if any(row.status == "failed" for row in state.steps):
        return
    reached = {event.event_data["to_node"] for event in events if "to_node" in event.event_data}
    assert {row.step_path for row in state.steps if row.started_at is not None} <= reached
    left = {event.event_data["from_node"] for event in events if "from_node" in event.event_data}
    assert {row.step_path for row in state.steps if row.status == "completed"} <= left
