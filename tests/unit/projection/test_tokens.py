"""Which ways a run takes, told by its tokens."""

from typing import Any

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.projection.executed import op_key_of
from tests.unit.projection.telling import Story, completed, skipped, task
from tests.unit.projection.tokens_add_up import assert_tokens_add_up

SKIPS = {"reason": "condition_unmet"}


def path_of(story: Story) -> list[str]:
    """Returns the edges that a run took, such as `a>b`; `-` is the run itself."""
    assert_tokens_add_up(story.events(), story.state())
    return [
        f"{event.event_data['from_node'] or '-'}>{event.event_data['to_node'] or '-'}"
        for event in story.events()
        if event.event_type == "token.emitted" and event.event_data.get("status") != "cancelled"
    ]


def counters(story: Story) -> list[int]:
    """Returns the counter behind each event that changes it."""
    found = [0]
    for row in story.state().execution.applied:
        found.append(found[-1] + row.delta)
    return found[1:]


def skips(story: Story, step_key: str, origin: str = "", **more: Any) -> Story:
    """Returns the story with a step whose condition does not hold."""
    told = {**skipped("condition_unmet", origin or step_key), **more}
    return story.then("started", step_key).then("succeeded", step_key, outcome=told)


def waiting(story: Story) -> list[tuple[str, str]]:
    """Returns the tokens that wait at a step, and where they came from."""
    return [(row.node, row.from_node) for row in story.state().execution.pending]


def asked(story: Story) -> list[tuple[str, bool]]:
    """Returns at which steps it was asked whether all steps are done, and the answers."""
    assert_tokens_add_up(story.events(), story.state())
    return [
        (event.event_data["to_node"], event.event_data["last"])
        for event in story.events()
        if "last" in event.event_data
    ]


CHAIN = Flow("f").step("a").step("b", depends_on="a").step("c", depends_on="b")
DIAMOND = Flow("f").step("a").step("b", depends_on="a").step("c", depends_on="a")
DIAMOND = DIAMOND.step("d", depends_on=["b", "c"])


def test_a_token_goes_from_step_to_step() -> None:
    story = Story([CHAIN]).then("run_started").does("a").does("b").does("c")
    assert path_of(story) == ["->a", "a>b", "b>c", "c>-"]
    assert counters(story) == [1, 2, 1, 2, 1, 2, 1]
    assert counters(story.then("run_completed"))[-1] == 0


def test_a_run_that_waits_for_its_worker_has_its_first_token() -> None:
    assert path_of(Story([CHAIN])) == ["->a"]
    assert path_of(Story([Flow("f")])) == ["->-"]
    assert counters(Story([Flow("f")]).then("run_completed")) == [1, 0]


def test_a_step_holds_its_token_until_it_has_ended() -> None:
    story = Story([CHAIN]).then("run_started").then("started", "a")
    assert path_of(story) == ["->a"]
    assert counters(story) == [1]


def test_a_join_waits_for_the_token_of_each_step_before_it() -> None:
    story = Story([DIAMOND]).then("run_started").does("a").does("b")
    assert path_of(story) == ["->a", "a>b", "a>c", "b>d"]
    assert waiting(story) == [("d", "b")]
    story = story.does("c")
    assert waiting(story) == [("d", "b"), ("d", "c")]
    assert waiting(story.then("started", "d")) == []
    [*_, last] = story.does("d").state().execution.applied
    assert (last.op_key, last.delta) == ("consume:d#1", -2)


def test_three_arms_come_together_in_one_step() -> None:
    flow = Flow("f").step("a").step("b").step("c").step("d", depends_on=["a", "b", "c"])
    story = Story([flow]).does("a").does("b").does("c").does("d").then("run_completed")
    assert path_of(story) == ["->a", "->b", "->c", "a>d", "b>d", "c>d", "d>-"]


def test_behind_a_skipped_step_the_way_goes_on_unless_the_skip_does() -> None:
    story = skips(Story([CHAIN]).then("run_started"), "a").does("b")
    assert path_of(story) == ["->a", "a>b", "b>c"]
    story = skips(Story([CHAIN]).then("run_started"), "a", ends_way=True)
    story = skips(story, "b", skip_reason="dependency_skipped", ends_way=True)
    assert path_of(story) == ["->a", "a>-"]


def test_a_step_that_no_token_came_to_sends_none() -> None:
    story = Story([CHAIN]).then("run_started").does("b")
    assert path_of(story) == ["->a"]


def test_a_branch_sends_a_token_on_the_ways_that_it_takes() -> None:
    flow = Flow("f").step("a").branch("b", rules=[("true", "x")], default_path="y", depends_on="a")
    flow = flow.step("x", depends_on="b").step("y", depends_on="b").step("w", depends_on="b")
    flow = flow.step("j", depends_on=["x", "y"])
    taken = completed(None, [task()], taken=["x"], rule=0)
    story = Story([flow]).does("a").then("succeeded", "b", outcome=taken)
    assert path_of(story) == ["->a", "a>b", "b>x", "b>w"]
    story = skips(story, "y", ends_way=True).does("x").does("j")
    assert path_of(story)[4:] == ["x>j", "j>-"]
    assert waiting(story) == []


def test_a_way_that_ends_at_a_branch_ends_the_run() -> None:
    flow = Flow("f").branch("b", rules=[("false", "x")]).step("x", depends_on="b")
    taken = completed(None, [task()], taken=[], rule="default")
    story = Story([flow]).then("succeeded", "b", outcome=taken)
    story = skips(story, "x", ends_way=True).then("run_completed")
    assert path_of(story) == ["->b", "b>-"]


INNER = Flow("inner").step("x").step("y", depends_on="x")
OUTER = Flow("outer").step("a").subflow("s", "inner", depends_on="a").step("z", depends_on="s")
ROUTED = Flow("outer").subflow("s", "inner", on_failure="f").step("f", depends_on="s")
ROUTED = ROUTED.step("z", depends_on="s")


def test_a_token_enters_a_subflow_and_comes_out_of_it() -> None:
    story = Story([OUTER, INNER]).then("run_started").does("a").does("s.x").does("s.y").does("z")
    assert path_of(story) == ["->a", "a>s", "s>s.x", "s.x>s.y", "s.y>s", "s>z", "z>-"]


def test_no_token_enters_a_subflow_that_is_skipped() -> None:
    story = Story([OUTER, INNER]).then("run_started").does("a")
    for key in ("s.x", "s.y"):
        story = skips(story, key, "s")
    assert path_of(story.does("z")) == ["->a", "a>s", "s>z", "z>-"]


def test_the_first_step_of_a_subflow_may_be_skipped_before_anything_in_it_begins() -> None:
    story = Story([OUTER, INNER]).then("run_started").does("a")
    story = skips(skips(story, "s.x"), "s.y").does("z")
    assert path_of(story) == ["->a", "a>s", "s>s.x", "s.x>s.y", "s.y>s", "s>z", "z>-"]


def test_a_failure_that_is_caught_takes_the_way_to_its_step() -> None:
    failed = {**completed(None, [task(status="failed", error="no")]), "status": "failed"}
    failed |= {"error": "no", "failed_step": "s.x", "failed_subflow": "s"}
    story = Story([ROUTED, INNER]).then("run_started").then("started", "s.x")
    story = story.then("succeeded", "s.x", outcome=failed).does("f")
    assert path_of(story) == ["->s", "s>s.x", "s.x>s", "s>f", "f>-"]
    story = Story([ROUTED, INNER]).then("run_started").does("s.x").does("s.y")
    assert path_of(story)[-1] == "s>z"


def test_every_item_of_a_list_has_tokens_of_its_own() -> None:
    flow = Flow("outer").step("a").subflow("s", "inner", depends_on="a", over="a")
    story = Story([flow, INNER]).does("a", [1, 2], fans_out={"s": {"tasks": 2, "batches": 2}})
    story = story.does("s.x[1]").does("s.x[0]").does("s.y[0]")
    assert path_of(story)[2:] == [
        "s>s[1].x",
        "s[1].x>s[1].y",
        "s>s[0].x",
        "s[0].x>s[0].y",
        "s[0].y>s",
    ]


def test_the_end_of_a_run_leaves_no_token() -> None:
    story = Story([DIAMOND]).then("run_started").does("a").does("b").then("started", "c")
    for end in ("run_failed", "run_cancelled", "run_completed"):
        ended = story.then(end)
        assert counters(ended)[-1] == 0
        assert waiting(ended) == []


def test_the_last_token_says_that_all_steps_are_done() -> None:
    story = Story([DIAMOND]).does("a").does("b").does("c")
    assert story.state().execution.statistics.steps_done_at is None  # type: ignore[union-attr]
    story = story.does("d")
    statistics = story.state().execution.statistics
    assert statistics is not None
    assert statistics.steps_done_at == story.sightings[-1].at
    assert (statistics.completion_checks, statistics.completion_checks_saved) == (1, 3)


def test_whether_all_is_done_is_asked_at_terminal_steps_and_nowhere_else() -> None:
    flow = Flow("wide").step("a").subflow("s", "inner", depends_on="a").step("b", depends_on="a")
    flow = flow.step("c", depends_on="b")
    story = Story([flow, INNER]).does("a").does("b").does("s.x").does("c")
    assert asked(story) == [("c", False)]
    story = story.does("s.y")
    assert asked(story) == [("c", False), ("s", True)]
    statistics = story.state().execution.statistics
    assert statistics is not None
    assert (statistics.terminal_nodes, statistics.completion_checks) == (2, 2)
    assert statistics.completion_checks_saved == 4


def test_whether_all_is_done_is_asked_where_a_way_breaks_off() -> None:
    story = Story([CHAIN]).then("run_started").then("started", "a")
    story = story.then("failed", "a", error="boom")
    assert asked(story) == [("a", True)]


def test_the_key_of_a_change_says_in_which_attempt() -> None:
    story = Story([CHAIN]).fails("a", task(0, "failed", error="no"))
    story = story.then("started", "a")
    story = story.then("succeeded", "a", outcome=completed(1, [task(attempts=2)]))
    keys = [op_key_of(e) for e in story.events() if e.event_type.startswith("token.")]
    assert keys == ["emit:>a#0", "emit:a>b#2", "consume:a#2"]


def test_nodes_are_told_with_their_attempts_and_times() -> None:
    story = Story([CHAIN]).then("run_started").does("a").then("started", "b")
    story = story.then("failed", "b", error="boom").then("run_failed")
    told = {e.event_type: e.event_data for e in story.events() if e.event_type[:5] == "node."}
    assert told == {
        "node.executed": {"attempts": 1, "duration_ms": 1000},
        "node.failed": {"attempts": 1, "duration_ms": 1000, "error": "boom"},
    }
    statistics = story.state().execution.statistics
    assert statistics is not None
    assert (statistics.nodes_executed, statistics.nodes_failed) == (1, 1)
    assert statistics.total_time_ms == 5000


def test_the_counter_is_noted_now_and_then_and_at_the_end() -> None:
    flow = Flow("f").step("a")
    for number in range(30):
        flow = flow.step(f"s{number}", depends_on="a")
    story = Story([flow]).then("run_started").does("a")
    for number in range(30):
        story = story.does(f"s{number}")
    snapshots = story.then("run_completed").state().execution.snapshots
    last = snapshots[-1].sequence_num
    assert [row.sequence_num for row in snapshots] == [*range(100, last, 100), last]
    assert [row.counter for row in snapshots][-1] == 0
