"""Random flows that wait mean what the rules say, after each answer, in the tables too.

They run in real Dagster with the real store, and go on as the product has them go on: the waits are
answered, or their time passes, in an order that is drawn, and whatever is never answered is
cancelled. `make test` runs some, the same each time. To go through a thousand new ones:
`pytest tests/execution/test_waits_against_reference.py --hypothesis-profile=deep`.
"""

import json
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from uuid import UUID

import dagster as dg
from hypothesis import given, reject, seed, settings

from dagster_pgflow.errors import InvalidFlow
from dagster_pgflow.names import FLOW_INPUT
from dagster_pgflow.store.continuations import Continuations
from dagster_pgflow.store.database import Database
from tests.execution.interrupted import execute, first_run
from tests.execution.projecting import World, assert_log_adds_up_to_rows, opened_world
from tests.execution.projecting_waits import claimed, created
from tests.execution.test_against_reference import (
    LONGEST_RUN_S,
    QUIET,
    passes_of_longer_loops_are_runs,
    within,
)
from tests.execution.test_interrupted_runs import job_of
from tests.execution.test_subflow_trees_against_reference import assert_same_calls, define_alone
from tests.postgres import Session
from tests.reference.clock import out_of_time, without_waiting
from tests.reference.drawing import Drawn
from tests.reference.drawn_waits import TRIES, Story, waiting_of
from tests.reference.endings import StepEnd
from tests.reference.eventful import eventful_runs, eventful_trees
from tests.reference.expected_run import ExpectedRun
from tests.reference.handlers import Notes, reference_handlers
from tests.reference.interpreter import interpret
from tests.reference.tables import assert_rows_match
from tests.reference.traces import calm
from tests.reference.waiting import LATE, Answers, How

__all__ = ["passes_of_longer_loops_are_runs"]

DEEP = settings().max_examples > 100
RUNS = settings().max_examples if DEEP else 3
SEED_OF_RUNS, SEED_OF_TREES = 11, 12

Test = Callable[..., None]


class ToldRun:
    """A drawn run that waits, in Dagster and as the reference has it.

    Attributes:
        expected: What the reference tells of it so far.
    """

    def __init__(self, world: World, drawn: Drawn) -> None:
        self.world, self._drawn = world, drawn
        self._notes = Notes(seen=calm)
        self._job = job_of(world, self._notes)
        run = first_run(world.instance, self._job, {"inputs": {FLOW_INPUT: drawn.input}, **QUIET})
        self._run_id = UUID(run.run_id)
        self._execute(run)
        self.expected = told(drawn, {}, {})

    def go_on(self, news: Mapping[str, How], answers: Answers) -> None:
        """Answers, and goes on."""
        for path, how in news.items():
            self._end_wait(path, how)
        continuation = claimed(self.world)
        assert continuation is not None
        assert continuation.run_id == self._run_id
        self._execute(created(self.world, continuation, self._job))
        self.expected = told(self._drawn, answers, self.expected.steps)

    def cancel(self) -> None:
        """Cancels it while it waits."""
        assert Continuations(self.world.database).cancel(self._run_id)
        continuation = claimed(self.world)
        assert continuation is not None
        assert continuation.kind == "cancel"
        created(self.world, continuation, self._job)
        self.world.settle()
        assert self.world.one("runs", f"run_id = '{self._run_id}'")["status"] == "cancelled"
        assert self._waiting() == []
        assert_log_adds_up_to_rows(self.world, self._run_id)

    def assert_is_as_told(self) -> None:
        world, expected = self.world, self.expected
        assert world.project().problems == []
        assert_same_calls(self._notes, expected)
        assert_rows_match(world, self._run_id, self._drawn, expected)
        assert_log_adds_up_to_rows(world, self._run_id)
        assert self._waiting() == sorted(waiting_in(expected))

    def _execute(self, run: dg.DagsterRun) -> None:
        with ExitStack() as stack:
            for one in (within(LONGEST_RUN_S), without_waiting(), out_of_time()):
                stack.enter_context(one)
            execute(self.world.instance, self._job, run)

    def _end_wait(self, path: str, how: How) -> None:
        sql, place = self.world.sql, (str(self._run_id), path)
        kind = sql.value(
            "select kind from pgflow.waits where run_id = %s and step_path = %s", *place
        )
        if how == LATE or kind == "sleep":
            late = "update pgflow.waits set due_at = now() where run_id = %s and step_path = %s"
            sql(late, *place)
            return
        assert not isinstance(how, str)
        answer = json.dumps(how.answer)
        sql("select pgflow.answer(%s, %s, %s::jsonb, %s)", *place, answer, how.by)

    def _waiting(self) -> list[str]:
        """Returns what waits, but for what has been cancelled with the subflow that it lies in."""
        return self.world.sql.column(
            "select step_path from pgflow.waits as wait join pgflow.step_states as step"
            " using (run_id, step_path)"
            " where run_id = %s and wait.status = 'open' and step.status <> 'cancelled'"
            ' order by step_path collate "C"',
            str(self._run_id),
        )


def told(drawn: Drawn, answers: Answers, before: Mapping[str, StepEnd]) -> ExpectedRun:
    """Returns what the reference tells of a run with what has been answered so far."""
    handlers = reference_handlers()
    return interpret(drawn.flows[-1], drawn.by_slug, handlers, drawn.input, answers, before=before)


def waiting_in(expected: ExpectedRun) -> list[str]:
    return [path for path, end in expected.steps.items() if end.status == "waiting"]


def waiting_ones(drawn: Drawn) -> Drawn:
    """Returns the flow with some steps that wait, of which one is reached."""
    tries = (waiting_of(drawn, tried) for tried in range(TRIES))
    found = next((one for one in tries if told(one, {}, {}).status == "waiting"), None)
    return found or reject()


def assert_goes_on_as_told(database: Database, sql: Session, drawn: Drawn) -> None:
    with (
        dg.DagsterInstance.ephemeral() as instance,
        opened_world(database, sql, instance) as world,
    ):
        # The run of the example before is in a Dagster that is gone.
        sql("update pgflow.runs set status = 'cancelled' where status = 'waiting'")
        sql("update pgflow.run_cursors set is_final = true")
        try:
            define_alone(world, drawn)
        except InvalidFlow:
            reject()  # A few of the flows that are drawn ask for what is never there.
        run, story = ToldRun(world, drawn), Story(drawn)
        run.assert_is_as_told()
        while run.expected.status == "waiting":
            news = story.next_round(waiting_in(run.expected))
            if not news:
                run.cancel()
                return
            run.go_on(news, story.answers)
            run.assert_is_as_told()


def chosen(number: int) -> Callable[[Test], Test]:
    """Has a short search go through the same runs each time."""
    return (lambda test: test) if DEEP else seed(number)


patient = settings(max_examples=RUNS)


@chosen(SEED_OF_RUNS)
@patient
@given(eventful_runs().map(waiting_ones))
def test_a_run_that_waits_means_what_the_rules_say(
    database: Database, sql: Session, drawn: Drawn
) -> None:
    assert_goes_on_as_told(database, sql, drawn)


@chosen(SEED_OF_TREES)
@patient
@given(eventful_trees().map(waiting_ones))
def test_a_tree_of_subflows_that_waits_means_what_the_rules_say(
    database: Database, sql: Session, drawn: Drawn
) -> None:
    assert_goes_on_as_told(database, sql, drawn)
