"""Random flows, run in real Dagster and projected into real tables, mean what the rules say.

`make test` runs forty of them, the same each time. To go through a thousand new ones:
`pytest tests/execution/test_against_reference.py --hypothesis-profile=deep`.
"""

import signal
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any
from uuid import UUID, uuid4

import dagster as dg
import pytest
from hypothesis import given, seed, settings

from dagster_pgflow.compiler.emit_job import JobEmitter, JobSettings
from dagster_pgflow.io_manager import PgflowIOManager, in_each_run
from dagster_pgflow.names import IO_MANAGER_KEY, PGFLOW_KEY
from dagster_pgflow.resources import StoreOfSteps
from dagster_pgflow.runtime.handlers import HandlerRegistry
from dagster_pgflow.store.catalog import Catalog
from dagster_pgflow.store.database import Database
from dagster_pgflow.store.outputs import OutputStore
from dagster_pgflow.store.pinned_flows import PinnedFlows
from tests.execution.projecting import World, assert_log_adds_up_to_rows, opened_world
from tests.postgres import Session
from tests.reference.clock import out_of_time, without_waiting
from tests.reference.drawing import TOP, Drawn
from tests.reference.eventful import eventful_runs, expected_run
from tests.reference.expected_run import ExpectedRun
from tests.reference.handlers import Notes, noted, reached
from tests.reference.tables import assert_equal, assert_rows_match, text_of
from tests.reference.traces import calm

FLOWS = settings().max_examples
SHORT_SEARCH = 12
SEED = 8
"""Of some, the one with which most happens."""
LONGEST_RUN_S = 300
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}

Test = Callable[..., None]


@pytest.fixture(autouse=True)
def passes_of_longer_loops_are_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets the loops of a few more iterations run as those of more than a hundred do."""
    monkeypatch.setattr("dagster_pgflow.model.steps.loop.MOST_ITERATIONS_IN_A_JOB", 2)


def assert_sound(database: Database, sql: Session, drawn: Drawn) -> None:
    expected = expected_run(drawn)
    notes = Notes()
    with (
        dg.DagsterInstance.ephemeral() as instance,
        opened_world(database, sql, instance) as world,
    ):
        world.define(*drawn.flows)
        run_id = execute(world, notes, drawn.input)
        run = instance.get_run_by_id(str(run_id))
        assert run is not None
        assert run.is_success == (expected.status == "completed")
        assert_same_calls(notes, expected)
        assert world.project().problems == []
        world.settle()
        assert_rows_match(world, run_id, drawn, expected)
        assert_log_adds_up_to_rows(world, run_id)


def chosen(test: Test) -> Test:
    """Has a short search go through the same flows each time."""
    return seed(SEED)(test) if FLOWS <= 100 else test


@chosen
@settings(
    max_examples=FLOWS if FLOWS > 100 else SHORT_SEARCH,
)
@given(eventful_runs())
def test_a_run_does_and_tells_what_the_rules_say(
    database: Database, sql: Session, drawn: Drawn
) -> None:
    assert_sound(database, sql, drawn)


def execute(world: World, notes: Notes, flow_input: Any) -> UUID:
    """Runs the flow in this process and returns the run's id."""
    catalog = Catalog(world.database)
    flows = PinnedFlows(catalog, catalog.watermark())
    resources = {
        PGFLOW_KEY: StoreOfSteps(world.database),
        IO_MANAGER_KEY: in_each_run(PgflowIOManager(OutputStore(world.database))),
    }
    handlers = HandlerRegistry.collect([notes.handlers()])
    jobs = JobEmitter(flows, handlers, JobSettings(resources, dg.in_process_executor))
    dagster_run_id = uuid4()
    with within(LONGEST_RUN_S), without_waiting(), out_of_time():
        jobs.job(TOP, flows.tags(TOP)).execute_in_process(
            instance=world.instance,
            run_config={"inputs": {"flow_input": flow_input}, **QUIET},
            run_id=str(dagster_run_id),
            raise_on_error=False,
        )
    return dagster_run_id


@contextmanager
def within(seconds: int) -> Iterator[None]:
    """Ends a run that goes on for ever, as Dagster's executor may, and says so."""
    too_long: list[TimeoutError] = []

    def give_up(_signal: int, _frame: FrameType | None) -> None:
        # Dagster takes this for a failure of the run, so it is raised again behind the run.
        too_long.append(TimeoutError("The run does not end."))
        raise too_long[0]

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    if too_long:
        raise too_long[0]


def assert_same_calls(notes: Notes, expected: ExpectedRun) -> None:
    wanted = [calm(list(noted(call))) for call in expected.calls if reached(call)]
    found = [calm(list(call)) for call in notes.calls]
    assert_equal(Counter(map(text_of, found)), Counter(map(text_of, wanted)))
    assert all(len(keys) == 1 for keys in notes.keys.values())
    assert len({key for [key] in notes.keys.values()}) == len(notes.keys)
