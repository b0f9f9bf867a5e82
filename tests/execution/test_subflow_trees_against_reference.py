"""Random trees of subflows mean what the rules say: mappings, failure steps, lists of items.

What their ops report is compared, and the rows that become of it.

`make test` runs some of them, the same each time. To go through a thousand new ones:
`pytest tests/execution/test_subflow_trees_against_reference.py --hypothesis-profile=deep`.
"""

from collections import Counter
from uuid import UUID

import dagster as dg
from hypothesis import given, seed, settings

from dagster_pgflow.names import TAG_TOP_RUN
from dagster_pgflow.store.database import Database
from dagster_pgflow.store.outputs import OutputStore
from tests.execution.projecting import World, assert_log_adds_up_to_rows, opened_world
from tests.execution.test_against_reference import (
    Test,
    execute,
    passes_of_longer_loops_are_runs,
)
from tests.postgres import Session
from tests.reference.drawing import CONTAINED, TOP, Drawn
from tests.reference.eventful import eventful_trees, expected_run
from tests.reference.expected_run import ExpectedRun
from tests.reference.handlers import Notes, noted, reached
from tests.reference.reports import Reports, assert_failures_explained, assert_reports_match
from tests.reference.tables import assert_equal, assert_rows_match, text_of
from tests.reference.traces import calm

__all__ = ["passes_of_longer_loops_are_runs"]

DEEP = settings().max_examples > 100
FLOWS = settings().max_examples if DEEP else 8
SEED = 4


def assert_sound(database: Database, sql: Session, drawn: Drawn) -> None:
    expected = expected_run(drawn)
    received: list[object] = []

    def seen(value: object) -> object:
        received.append(value)
        return calm(value)

    notes = Notes(seen=seen)
    with (
        dg.DagsterInstance.ephemeral() as instance,
        opened_world(database, sql, instance) as world,
    ):
        define_alone(world, drawn)
        run_id = execute(world, notes, drawn.input)
        run = instance.get_run_by_id(str(run_id))
        assert run is not None
        assert run.is_success == (expected.status == "completed")
        assert_reports_match(reports_of(world, run_id), drawn, expected)
        assert_same_calls(notes, expected)
        assert_failures_explained(received, expected)
        assert world.project().problems == []
        world.settle()
        assert_rows_match(world, run_id, drawn, expected)
        assert_log_adds_up_to_rows(world, run_id)


def chosen(test: Test) -> Test:
    """Has a short search go through the same flows each time."""
    return test if DEEP else seed(SEED)(test)


@chosen
@settings(
    max_examples=FLOWS,
)
@given(eventful_trees())
def test_a_tree_of_subflows_does_what_the_rules_say(
    database: Database, sql: Session, drawn: Drawn
) -> None:
    assert_sound(database, sql, drawn)


def define_alone(world: World, drawn: Drawn) -> None:
    """Stores flows in place of all others, so that none refers to what is no longer there."""
    stored = {flow.slug for flow in world.builder.list_flows()}
    for slug in (TOP, *reversed(CONTAINED)):
        if slug in stored:
            world.builder.delete_flow(slug, force=True)
    world.define(*drawn.flows)


def reports_of(world: World, run_id: UUID) -> Reports:
    """Returns what the ops of a run reported, and of the runs inside it."""
    reports = Reports()
    inside = world.instance.get_runs(dg.RunsFilter(tags={TAG_TOP_RUN: str(run_id)}))
    for dagster_run_id in (str(run_id), *(run.run_id for run in inside)):
        stored = OutputStore(world.database).of_run(UUID(dagster_run_id))
        texts = {
            (output.key.step_key, output.key.output_name, output.key.mapping_key): output.text or ""
            for output in stored
        }
        events = [entry.dagster_event for entry in world.instance.all_logs(dagster_run_id)]
        reports.read([event for event in events if event is not None], texts)
    return reports


def assert_same_calls(notes: Notes, expected: ExpectedRun) -> None:
    wanted = [calm(list(noted(call))) for call in expected.calls if reached(call)]
    found = [calm(list(call)) for call in notes.calls]
    assert_equal(Counter(map(text_of, found)), Counter(map(text_of, wanted)))
    assert all(len(keys) == 1 for keys in notes.keys.values())
    assert len({key for [key] in notes.keys.values()}) == len(notes.keys)
