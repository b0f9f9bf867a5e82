"""Which routes a run takes, told by its tokens."""

from dataclasses import replace

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.run_state import SkipReason
from dagster_pgflow.projection.fold.executed import op_key_of
from dagster_pgflow.reports.decision import Decision
from dagster_pgflow.reports.report import FanOut
from tests.unit.projection.seen_runs import SeenRun, completed, failed, skipped, task
from tests.unit.projection.translate.tokens_add_up import assert_tokens_add_up

SKIPS = {"reason": "condition_unmet"}


def path_of(seen: SeenRun) -> list[str]:
    """Returns the edges that a run took, such as `a>b`; `-` is the run itself."""
    assert_tokens_add_up(seen.events(), seen.state())
    return [
        f"{event.event_data['from_node'] or '-'}>{event.event_data['to_node'] or '-'}"
        for event in seen.events()
        if event.event_type == "token.emitted" and event.event_data.get("status") != "cancelled"
    ]


def counters(seen: SeenRun) -> list[int]:
    """Returns the counter behind each event that changes it."""
    found = [0]
    for row in seen.state().execution.applied:
        found.append(found[-1] + row.delta)
    return found[1:]


def skips(
    seen: SeenRun,
    step_key: str,
    origin: str = "",
    reason: SkipReason = "condition_unmet",
    *,
    ends_route: bool = False,
) -> SeenRun:
    """Returns the seen with a step that is skipped, because its condition does not hold."""
    report = skipped(reason, origin or step_key, ends_route=ends_route)
    return seen.then("started", step_key).then("succeeded", step_key, report=report)


def waiting(seen: SeenRun) -> list[tuple[str, str]]:
    """Returns the tokens that wait at a step, and where they came from."""
    return [(row.node, row.from_node) for row in seen.state().execution.pending]


def asked(seen: SeenRun) -> list[tuple[str, bool]]:
    """Returns at which steps it was asked whether all steps are done, and the answers."""
    assert_tokens_add_up(seen.events(), seen.state())
    return [
        (event.event_data["to_node"], event.event_data["last"])
        for event in seen.events()
        if "last" in event.event_data
    ]


CHAIN = Flow("f").step("a").step("b", depends_on="a").step("c", depends_on="b")
DIAMOND = Flow("f").step("a").step("b", depends_on="a").step("c", depends_on="a")
DIAMOND = DIAMOND.step("d", depends_on=["b", "c"])


def test_a_token_goes_from_step_to_step() -> None:
    seen = SeenRun([CHAIN]).then("run_started").does("a").does("b").does("c")
    assert path_of(seen) == ["->a", "a>b", "b>c", "c>-"]
    assert counters(seen) == [1, 2, 1, 2, 1, 2, 1]
    assert counters(seen.then("run_completed"))[-1] == 0


def test_a_run_that_waits_for_its_worker_has_its_first_token() -> None:
    assert path_of(SeenRun([CHAIN])) == ["->a"]
    assert path_of(SeenRun([Flow("f")])) == ["->-"]
    assert counters(SeenRun([Flow("f")]).then("run_completed")) == [1, 0]


def test_a_step_holds_its_token_until_it_has_ended() -> None:
    seen = SeenRun([CHAIN]).then("run_started").then("started", "a")
    assert path_of(seen) == ["->a"]
    assert counters(seen) == [1]


def test_a_join_waits_for_the_token_of_each_step_before_it() -> None:
    seen = SeenRun([DIAMOND]).then("run_started").does("a").does("b")
    assert path_of(seen) == ["->a", "a>b", "a>c", "b>d"]
    assert waiting(seen) == [("d", "b")]
    seen = seen.does("c")
    assert waiting(seen) == [("d", "b"), ("d", "c")]
    assert waiting(seen.then("started", "d")) == []
    [*_, last] = seen.does("d").state().execution.applied
    assert (last.op_key, last.delta) == ("consume:d#1", -2)


def test_three_arms_come_together_in_one_step() -> None:
    flow = Flow("f").step("a").step("b").step("c").step("d", depends_on=["a", "b", "c"])
    seen = SeenRun([flow]).does("a").does("b").does("c").does("d").then("run_completed")
    assert path_of(seen) == ["->a", "->b", "->c", "a>d", "b>d", "c>d", "d>-"]


def test_behind_a_skipped_step_the_way_goes_on_unless_the_skip_does() -> None:
    seen = skips(SeenRun([CHAIN]).then("run_started"), "a").does("b")
    assert path_of(seen) == ["->a", "a>b", "b>c"]
    seen = skips(SeenRun([CHAIN]).then("run_started"), "a", ends_route=True)
    seen = skips(seen, "b", reason="dependency_skipped", ends_route=True)
    assert path_of(seen) == ["->a", "a>-"]


def test_a_step_that_no_token_came_to_sends_none() -> None:
    seen = SeenRun([CHAIN]).then("run_started").does("b")
    assert path_of(seen) == ["->a"]


def test_a_branch_sends_a_token_on_the_ways_that_it_takes() -> None:
    flow = Flow("f").step("a").branch("b", rules=[("true", "x")], default_path="y", depends_on="a")
    flow = flow.step("x", depends_on="b").step("y", depends_on="b").step("w", depends_on="b")
    flow = flow.step("j", depends_on=["x", "y"])
    taken = replace(completed(None, [task()]), decision=Decision(("x",), 0))
    seen = SeenRun([flow]).does("a").then("succeeded", "b", report=taken)
    assert path_of(seen) == ["->a", "a>b", "b>x", "b>w"]
    seen = skips(seen, "y", ends_route=True).does("x").does("j")
    assert path_of(seen)[4:] == ["x>j", "j>-"]
    assert waiting(seen) == []


def test_a_way_that_ends_at_a_branch_ends_the_run() -> None:
    flow = Flow("f").branch("b", rules=[("false", "x")]).step("x", depends_on="b")
    taken = replace(completed(None, [task()]), decision=Decision((), "default"))
    seen = SeenRun([flow]).then("succeeded", "b", report=taken)
    seen = skips(seen, "x", ends_route=True).then("run_completed")
    assert path_of(seen) == ["->b", "b>-"]


INNER = Flow("inner").step("x").step("y", depends_on="x")
OUTER = Flow("outer").step("a").subflow("s", "inner", depends_on="a").step("z", depends_on="s")
ROUTED = Flow("outer").subflow("s", "inner", on_failure="f").step("f", depends_on="s")
ROUTED = ROUTED.step("z", depends_on="s")


def test_a_token_enters_a_subflow_and_comes_out_of_it() -> None:
    seen = SeenRun([OUTER, INNER]).then("run_started").does("a").does("s.x").does("s.y").does("z")
    assert path_of(seen) == ["->a", "a>s", "s>s.x", "s.x>s.y", "s.y>s", "s>z", "z>-"]


def test_no_token_enters_a_subflow_that_is_skipped() -> None:
    seen = SeenRun([OUTER, INNER]).then("run_started").does("a")
    for key in ("s.x", "s.y"):
        seen = skips(seen, key, "s")
    assert path_of(seen.does("z")) == ["->a", "a>s", "s>z", "z>-"]


def test_the_first_step_of_a_subflow_may_be_skipped_before_anything_in_it_begins() -> None:
    seen = SeenRun([OUTER, INNER]).then("run_started").does("a")
    seen = skips(skips(seen, "s.x"), "s.y").does("z")
    assert path_of(seen) == ["->a", "a>s", "s>s.x", "s.x>s.y", "s.y>s", "s>z", "z>-"]


def test_a_failure_that_is_caught_takes_the_way_to_its_step() -> None:
    seen = SeenRun([ROUTED, INNER]).then("run_started").then("started", "s.x")
    seen = seen.then(
        "succeeded", "s.x", report=failed(task(status="failed"), at="s.x", caught_by="s")
    ).does("f")
    assert path_of(seen) == ["->s", "s>s.x", "s.x>s", "s>f", "f>-"]
    seen = SeenRun([ROUTED, INNER]).then("run_started").does("s.x").does("s.y")
    assert path_of(seen)[-1] == "s>z"


def test_every_item_of_a_list_has_tokens_of_its_own() -> None:
    flow = Flow("outer").step("a").subflow("s", "inner", depends_on="a", over="a")
    seen = SeenRun([flow, INNER]).does("a", [1, 2], fans_out={"s": FanOut(2, 2, 1)})
    seen = seen.does("s.x[1]").does("s.x[0]").does("s.y[0]")
    assert path_of(seen)[2:] == [
        "s>s[1].x",
        "s[1].x>s[1].y",
        "s>s[0].x",
        "s[0].x>s[0].y",
        "s[0].y>s",
    ]


def test_the_end_of_a_run_leaves_no_token() -> None:
    seen = SeenRun([DIAMOND]).then("run_started").does("a").does("b").then("started", "c")
    for end in ("run_failed", "run_cancelled", "run_completed"):
        ended = seen.then(end)
        assert counters(ended)[-1] == 0
        assert waiting(ended) == []


def test_the_last_token_says_that_all_steps_are_done() -> None:
    seen = SeenRun([DIAMOND]).does("a").does("b").does("c")
    assert seen.state().execution.statistics.steps_done_at is None  # type: ignore[union-attr]
    seen = seen.does("d")
    statistics = seen.state().execution.statistics
    assert statistics is not None
    assert statistics.steps_done_at == seen.run_events[-1].at
    assert (statistics.completion_checks, statistics.completion_checks_saved) == (1, 3)


def test_whether_all_is_done_is_asked_at_terminal_steps_and_nowhere_else() -> None:
    flow = Flow("wide").step("a").subflow("s", "inner", depends_on="a").step("b", depends_on="a")
    flow = flow.step("c", depends_on="b")
    seen = SeenRun([flow, INNER]).does("a").does("b").does("s.x").does("c")
    assert asked(seen) == [("c", False)]
    seen = seen.does("s.y")
    assert asked(seen) == [("c", False), ("s", True)]
    statistics = seen.state().execution.statistics
    assert statistics is not None
    assert (statistics.terminal_nodes, statistics.completion_checks) == (2, 2)
    assert statistics.completion_checks_saved == 4


def test_whether_all_is_done_is_asked_where_a_way_breaks_off() -> None:
    seen = SeenRun([CHAIN]).then("run_started").then("started", "a")
    seen = seen.then("failed", "a", error="boom")
    assert asked(seen) == [("a", True)]


def test_the_key_of_a_change_says_in_which_attempt() -> None:
    seen = SeenRun([CHAIN]).fails("a", task(0, "failed"))
    seen = seen.then("started", "a")
    seen = seen.then("succeeded", "a", report=completed(1, [task(attempts=2)]))
    keys = [op_key_of(e) for e in seen.events() if e.event_type.startswith("token.")]
    assert keys == ["emit:>a#0", "emit:a>b#2", "consume:a#2"]


def test_nodes_are_told_with_their_attempts_and_times() -> None:
    seen = SeenRun([CHAIN]).then("run_started").does("a").then("started", "b")
    seen = seen.then("failed", "b", error="boom").then("run_failed")
    told = {e.event_type: e.event_data for e in seen.events() if e.event_type[:5] == "node."}
    assert told == {
        "node.executed": {"attempts": 1, "duration_ms": 1000},
        "node.failed": {"attempts": 1, "duration_ms": 1000, "error": "boom"},
    }
    statistics = seen.state().execution.statistics
    assert statistics is not None
    assert (statistics.nodes_executed, statistics.nodes_failed) == (1, 1)
    assert statistics.total_time_ms == 5000


def test_the_counter_is_noted_now_and_then_and_at_the_end() -> None:
    flow = Flow("f").step("a")
    for number in range(30):
        flow = flow.step(f"s{number}", depends_on="a")
    seen = SeenRun([flow]).then("run_started").does("a")
    for number in range(30):
        seen = seen.does(f"s{number}")
    snapshots = seen.then("run_completed").state().execution.snapshots
    last = snapshots[-1].sequence_num
    assert [row.sequence_num for row in snapshots] == [*range(100, last, 100), last]
    assert [row.counter for row in snapshots][-1] == 0
