"""What a completed run leaves to be looked at: warnings, and final steps that were skipped."""

from typing import Any

import pytest

from dagster_pgflow.cli.oddities import oddities
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.store.database import Database
from dagster_pgflow.store.run_status import RunStatusReader
from tests.execution.projecting import World, assert_log_is_sound, world

__all__ = ["world"]

HANDLERS = {"echo": lambda value: value, "list": lambda _: [1, 2, 3]}
CHILD = Flow("child").step("inside", "echo")
ASKED = "flow_input.max_bad > 1"
UNANSWERED = f"`{ASKED}` counts as false: "


def told_of(world: World, database: Database, *flows: Flow, given: Any = None) -> list[str]:
    """Runs the first flow, and returns what there is to be said of its run."""
    world.define(*reversed(flows))
    dagster_run_id = world.run(flows[0].slug, HANDLERS, {} if given is None else given)
    world.settle()
    assert_log_is_sound(world, dagster_run_id)
    reader = RunStatusReader(database)
    return list(oddities(reader.report(world.one("runs")["run_id"])))


@pytest.mark.parametrize(
    "flow",
    [
        Flow("f").step("x", "echo", run_if=ASKED),
        Flow("f").step("list").map("x", "echo", depends_on="list", run_if=ASKED),
        Flow("f").step("list").subflow("x", "child", depends_on="list", run_if=ASKED),
    ],
    ids=["single", "map", "subflow"],
)
def test_a_condition_without_an_answer_and_what_it_skipped_are_told(
    world: World, database: Database, flow: Flow
) -> None:
    skipped, warning = told_of(world, database, flow, CHILD)
    assert skipped == 'The output has no "x": its condition did not hold.'
    assert warning.startswith(f'Warning: Step "x": run_if {UNANSWERED}')


def test_a_step_that_runs_since_its_condition_has_no_answer_is_told_once(
    world: World, database: Database
) -> None:
    flow = Flow("f").step("x", "echo", run_unless=ASKED)
    [warning] = told_of(world, database, flow)
    assert warning.startswith(f'Warning: Step "x": run_unless {UNANSWERED}')
    [event] = world.sql.records("select * from pgflow.event_log where event_type = 'step.warned'")
    assert (event["correlation_id"], len(event["event_data"]["warnings"])) == ("x", 1)


def test_a_rule_without_an_answer_is_told_with_the_way_that_was_not_taken(
    world: World, database: Database
) -> None:
    flow = (
        Flow("f")
        .branch("route", rules=[(ASKED, "repair")], default_path="go_on")
        .step("repair", "echo", depends_on="route")
        .step("go_on", "echo", depends_on="route")
    )
    skipped, warning = told_of(world, database, flow)
    assert skipped == 'The output has no "repair": it lies on a route that the run did not take.'
    assert warning.startswith(f'Warning: Step "route": rules[0].when {UNANSWERED}')


def test_a_step_that_is_left_behind_is_told(world: World, database: Database) -> None:
    flow = (
        Flow("f")
        .step("list")
        .branch("route", rules=[("input.n > 1", "repair")])
        .step("repair", "echo", depends_on="route")
        .step("end", "echo", depends_on=["repair", "list"])
    )
    assert told_of(world, database, flow, given={"n": 1}) == [
        'The output has no "end": it lies on a route that the run did not take.'
    ]


def test_what_is_skipped_inside_or_before_others_is_not_told(
    world: World, database: Database
) -> None:
    child = Flow("child").step("inside", "echo", run_if="false")
    flow = (
        Flow("f")
        .step("first", "echo", run_if="false")
        .step("last", "echo", depends_on="first")
        .subflow("x", "child")
    )
    assert told_of(world, database, flow, child) == []
