"""Runs that are killed, cancelled or fail at any moment come to the end that they would have had.

With `dagster-pgflow retry` they do so as if nothing had happened, and nothing that was done is done
again, however often that is needed. With Dagster's own "re-execute from failure" they do, or the
run fails and can be retried.

`make test` interrupts some runs, the same each time. To interrupt two thousand new ones:
`pytest tests/execution/test_interrupted_runs.py --hypothesis-profile=deep`.
"""

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import dagster as dg
from hypothesis import given, reject, seed, settings

from dagster_pgflow.compiler.emit_job import JobEmitter, JobSettings
from dagster_pgflow.errors import InvalidFlow
from dagster_pgflow.io_manager import PgflowIOManager, in_each_run
from dagster_pgflow.names import IO_MANAGER_KEY, PGFLOW_KEY
from dagster_pgflow.resources import StoreOfSteps
from dagster_pgflow.runtime.handlers import HandlerRegistry
from dagster_pgflow.store.catalog import Catalog
from dagster_pgflow.store.database import Database
from dagster_pgflow.store.outputs import OutputStore
from dagster_pgflow.store.pinned_flows import PinnedFlows
from tests.execution.interrupted import (
    ENDS,
    End,
    Interruption,
    errors_of,
    execute,
    first_run,
    from_failure,
    going_on,
    run_id_of,
)
from tests.execution.projecting import World, assert_log_adds_up_to_rows, opened_world
from tests.execution.test_against_reference import (
    LONGEST_RUN_S,
    QUIET,
    passes_of_longer_loops_are_runs,
    within,
)
from tests.execution.test_subflow_trees_against_reference import define_alone
from tests.postgres import Session
from tests.reference.clock import without_waiting
from tests.reference.drawing import TOP, Drawn
from tests.reference.eventful import eventful_runs, eventful_trees, expected_run
from tests.reference.expected_run import ExpectedRun
from tests.reference.handlers import Notes
from tests.reference.tables import assert_equal, rows_by_path, same
from tests.reference.traces import calm

__all__ = ["passes_of_longer_loops_are_runs"]

DEEP = settings().max_examples > 100
RUNS = settings().max_examples if DEEP else 5
SEED = 3
EVENTS_AN_OP = 8
OUTPUTS_AN_OP = 2
MOST_RETRIES = 5

Test = Callable[..., None]
Way = Literal["retry", "from failure"]
WAYS: tuple[Way, ...] = ("retry", "from failure")


@dataclass(frozen=True)
class Disturbance:
    """What happens to a run.

    Attributes:
        ends: How its runs are ended one after the other, each but the last.
        places: How far each gets before, from 0 to 1.
        route: How the first of them goes on; the others are retried.
    """

    ends: tuple[End, ...]
    places: tuple[float, ...]
    route: Way


def disturbance_of(drawn: Drawn) -> Disturbance:
    """Return what happens to a run, by chance but the same each time.

    Where hypothesis drew it beside a flow, nearly all runs would end at once: of what it may draw
    for one case, flows leave little.
    """
    chance = random.Random(repr(drawn))
    ends = chance.choices(ENDS, k=chance.choice([1, 1, 2, 3]))
    return Disturbance(tuple(ends), tuple(chance.random() for _ in ends), chance.choice(WAYS))


class Case:
    """A drawn flow, and the runs of it."""

    def __init__(self, world: World, drawn: Drawn) -> None:
        self.world = world
        self.expected = expected_run(drawn)
        self._config = {"inputs": {"flow_input": drawn.input}, **QUIET}
        ops = sum(max(len(end.batches), 1) for end in self.expected.steps.values())
        self._things = {"failed": ops * OUTPUTS_AN_OP}
        self._events = ops * EVENTS_AN_OP
        self.job = job_of(world, Notes(seen=calm))
        self.runs: list[dg.DagsterRun] = []

    def run(self, run: dg.DagsterRun, end: End | None = None, place: float = 1) -> dg.DagsterRun:
        """Executes a run, until it is ended if it is to be."""
        interruption = None
        if end is not None:
            interruption = Interruption(end, int(place * self._things.get(end, self._events)))
        with within(LONGEST_RUN_S), without_waiting():
            over = execute(self.world.instance, self.job, run, interruption)
        self.runs.append(over)
        return over

    def first(self) -> dg.DagsterRun:
        return first_run(self.world.instance, self.job, self._config)

    def retried(self, run: dg.DagsterRun) -> dg.DagsterRun:
        return going_on(self.world.instance, self.job, run)

    def from_failure(self, run: dg.DagsterRun) -> dg.DagsterRun | None:
        return from_failure(self.world.instance, self.job, run)


def job_of(world: World, notes: Notes) -> dg.JobDefinition:
    catalog = Catalog(world.database)
    flows = PinnedFlows(catalog, catalog.watermark())
    resources = {
        PGFLOW_KEY: StoreOfSteps(world.database),
        IO_MANAGER_KEY: in_each_run(PgflowIOManager(OutputStore(world.database))),
    }
    handlers = HandlerRegistry.collect([notes.handlers()])
    jobs = JobEmitter(flows, handlers, JobSettings(resources, dg.in_process_executor))
    return jobs.job(TOP, flows.tags(TOP))


def assert_survives(database: Database, sql: Session, drawn: Drawn, what: Disturbance) -> None:
    with (
        dg.DagsterInstance.ephemeral() as instance,
        opened_world(database, sql, instance) as world,
    ):
        try:
            define_alone(world, drawn)
        except InvalidFlow:
            reject()  # A few of the flows that are drawn ask for what is never there.
        case = Case(world, drawn)
        run = case.run(case.first(), what.ends[0], what.places[0])
        if what.route == "from failure" and not run.is_success:
            again = case.from_failure(run)
            run = run if again is None else case.run(again)
            if run.is_success:
                assert_ended_as_told(case, run)
                return
        for end, place in zip(what.ends[1:], what.places[1:], strict=True):
            if not run.is_success:
                run = case.run(case.retried(run), end, place)
        if not run.is_success:
            run = case.run(case.retried(run))
        assert_ended_as_told(case, run)
        if what.route == "retry":
            assert_nothing_was_done_twice(case)


def assert_ended_as_told(case: Case, run: dg.DagsterRun) -> None:
    world, expected = case.world, case.expected
    assert run.is_success == (expected.status == "completed"), errors_of(world.instance, run)
    assert world.project().problems == []
    world.settle()
    row = world.one("runs", f"run_id = '{run.run_id}'")
    assert row["status"] == expected.status
    assert same(row["output"], expected.output)
    assert_steps_ended_as_expected(world, run, expected)
    assert_log_adds_up_to_rows(world, run_id_of(run))


def assert_steps_ended_as_expected(world: World, run: dg.DagsterRun, expected: ExpectedRun) -> None:
    rows = rows_by_path(world, "step_states", run_id_of(run))
    assert_equal(
        {path: (row["status"], row["skip_reason"]) for path, row in rows.items()},
        {path: (end.status, end.skip_reason) for path, end in expected.steps.items()},
    )
    for path, end in expected.steps.items():
        assert end.status != "completed" or same(calm(rows[path]["output"]), calm(end.output)), path


def assert_nothing_was_done_twice(case: Case) -> None:
    done: Counter[Any] = Counter()
    for run in case.runs:
        for entry in case.world.instance.all_logs(run.run_id):
            event = entry.dagster_event
            if event is not None and event.is_step_success:
                done[event.step_key] += 1
    assert [key for key, times in done.items() if times > 1] == []


def chosen(test: Test) -> Test:
    """Has a short search go through the same runs each time."""
    return test if DEEP else seed(SEED)(test)


patient = settings(
    max_examples=RUNS,
)


@chosen
@patient
@given(eventful_runs())
def test_a_run_comes_to_its_end_whatever_happens_to_it(
    database: Database, sql: Session, drawn: Drawn
) -> None:
    assert_survives(database, sql, drawn, disturbance_of(drawn))


@chosen
@patient
@given(eventful_trees())
def test_a_tree_of_subflows_comes_to_its_end_whatever_happens_to_it(
    database: Database, sql: Session, drawn: Drawn
) -> None:
    assert_survives(database, sql, drawn, disturbance_of(drawn))
