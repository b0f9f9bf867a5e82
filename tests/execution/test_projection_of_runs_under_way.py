"""What the tables say after each single thing that Dagster saw of a run."""

from typing import Any
from uuid import UUID

import pytest

from dagster_pgflow.dagster_log.dagster_runs import DagsterRuns
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.run_state import RunState
from dagster_pgflow.projection.fold.fold import fold
from dagster_pgflow.projection.layout.announcements import layout_seen
from dagster_pgflow.projection.translate.translation import translate
from tests.execution.harness import gives
from tests.execution.projecting import World, world
from tests.execution.small_flows import CHILD, HANDLERS, LEAF, MIDDLE, PAYMENT
from tests.unit.projection.seen_runs import assert_attempts_add_up

__all__ = ["world"]

TERMINAL = ("completed", "failed", "skipped", "cancelled")
FLOWS = {
    "routed": [
        PAYMENT,
        Flow("top")
        .subflow("pay", "payment", on_failure="undo")
        .step("ship", "echo", depends_on="pay")
        .step("undo", "echo", depends_on="pay"),
    ],
    "nested": [
        LEAF,
        MIDDLE,
        Flow("top").subflow("mid", "middle", on_failure="z").step("z", "echo", depends_on="mid"),
    ],
    "unrouted": [LEAF, MIDDLE, Flow("top").subflow("mid", "middle").step("z", "echo")],
    "mapped": [
        Flow("leaf").step("x", "echo"),
        Flow("top")
        .subflow("s", "leaf", input={"a": "$input"}, output="$nodes.x.a")
        .subflow("t", "leaf", depends_on="s", if_={"s": 1}, output="$nodes.x.a"),
    ],
    "items": [
        CHILD,
        Flow("middle").subflow("in", "child", over="$input", output="$nodes.note"),
        Flow("top")
        .step("list", **gives([1, 13, 2]))
        .subflow("one", "child", depends_on="list", over="list", on_failure="mend")
        .step("mend", "echo", depends_on="one")
        .subflow("two", "middle", depends_on="list", on_failure="mend_too")
        .step("mend_too", "echo", depends_on="two"),
    ],
    "maps in items": [
        Flow("lists").map("m", "double").step("sum", "echo", depends_on="m"),
        Flow("top")
        .step("list", **gives([[1, 2], [], [13]]))
        .subflow("each", "lists", depends_on="list", over="list", on_failure="mend")
        .step("mend", "echo", depends_on="each"),
    ],
}


def states(world: World) -> list[RunState]:
    """Returns the rows before anything that Dagster saw, and after each."""
    [recorded] = world.instance.get_runs()
    runs = DagsterRuns(world.instance)
    [run] = runs.find([UUID(recorded.run_id)]).values()
    seen = runs.read(run, lambda: None)
    facts = seen.facts
    tree = world.store.definitions.tree(facts.flow_slug, facts.watermark)
    found = []
    for length in range(len(seen.run_events) + 1):
        so_far = seen.run_events[:length]
        layout = layout_seen(facts.flow_slug, tree, so_far)
        found.append(fold(layout, translate(facts, tree, layout, so_far), {}))
    return found


@pytest.mark.parametrize("name", FLOWS)
def test_rows_are_sound_after_each_event_and_what_is_over_stays_over(
    world: World, name: str
) -> None:
    world.define(*FLOWS[name])
    world.run("top", HANDLERS, 5)
    ended: dict[Any, str] = {}
    numbers: dict[str, Any] = {}
    for state in states(world):
        assert_attempts_add_up(state)
        assert all(row.remaining_deps >= 0 for row in state.steps)
        rows: list[tuple[Any, str]] = [(row.step_path, row.status) for row in state.steps]
        rows += [((row.step_path, row.task_index), row.status) for row in state.tasks]
        rows += [(("subrun", row.subrun_path), row.status) for row in state.subruns]
        for key, status in rows:
            assert ended.get(key, status) == status
            if status in TERMINAL:
                ended[key] = status
        for row in state.subruns:
            told = (row.run_index, row.parent_step_slug, row.map_index, row.parent_path)
            assert numbers.setdefault(row.subrun_path, told) == told
    assert {status for _, status in rows} <= {*TERMINAL}
    if state.run.status == "completed":
        assert state.run.remaining_steps == 0
        own = [row for row in state.steps if row.subrun_path is None]
        assert {row.remaining_deps for row in own} == {0}
