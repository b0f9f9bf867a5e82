"""A run comes to the end that it would have had, whichever of its steps wait, and wherever.

Drawn flows run in which steps of any kind wait once before they do what they are there for. To draw
many: `pytest tests/execution/test_waits_anywhere.py --hypothesis-profile=deep`.
"""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import dagster as dg
from hypothesis import given, reject, seed, settings

from dagster_pgflow.errors import InvalidFlow
from dagster_pgflow.model.steps import JoinStep
from dagster_pgflow.runtime.holding import WaitsItself
from dagster_pgflow.runtime.op_execution import Execution
from dagster_pgflow.runtime.values import Skipped
from dagster_pgflow.step_path import StepPath
from dagster_pgflow.store.database import Database
from tests.execution.projecting import opened_world
from tests.execution.test_against_reference import passes_of_longer_loops_are_runs
from tests.execution.test_interrupted_runs import (
    Case,
    assert_ended_as_told,
)
from tests.execution.test_subflow_trees_against_reference import define_alone
from tests.execution.waiting_runs import further_run
from tests.postgres import Session
from tests.reference.drawing import Drawn
from tests.reference.eventful import eventful_runs, eventful_trees

__all__ = ["passes_of_longer_loops_are_runs"]

DEEP = settings().max_examples > 100
RUNS = settings().max_examples if DEEP else 4
SEED = 5
MOST_DAGSTER_RUNS = 40

Test = Callable[..., None]


class Waiters:
    """Has some steps wait the first time that they come to their work, by chance but the same."""

    def __init__(self, drawn: Drawn) -> None:
        self._chance = random.Random(repr(drawn))
        self._come: dict[StepPath, bool] = {}
        self.waited = False

    def refuse_first(self, execution: Execution, given: Any) -> None:
        path = execution.path
        if isinstance(given, Skipped) or execution.tasks.attempt > 1 or path in self._come:
            return
        self._come[path] = self._chance.random() < 0.4
        if self._come[path]:
            self.waited = True
            raise WaitsItself(path, "wait", "its turn")

    @contextmanager
    def at_work(self) -> Iterator[None]:
        run_only_task = Execution.run_only_task

        def run(execution: Execution, given: Any) -> Any:
            self.refuse_first(execution, given)
            return run_only_task(execution, given)

        self.waited = False
        with patch.object(Execution, "run_only_task", run):
            yield


def assert_ends_as_without_waits(database: Database, sql: Session, drawn: Drawn) -> None:
    steps = [step for flow in drawn.flows for step in flow.steps]
    if any(isinstance(step, JoinStep) and step.least is not None for step in steps):
        reject()  # What goes on without those that wait comes to something else.
    with (
        dg.DagsterInstance.ephemeral() as instance,
        opened_world(database, sql, instance) as world,
    ):
        try:
            define_alone(world, drawn)
        except InvalidFlow:
            reject()  # A few of the flows that are drawn ask for what is never there.
        case, waiters = Case(world, drawn), Waiters(drawn)
        with waiters.at_work():
            run = case.run(case.first())
            while waiters.waited and run.is_success:
                assert len(case.runs) < MOST_DAGSTER_RUNS
                waiters.waited = False
                run = case.run(further_run(instance, case.job, case.runs))
        assert run.is_success == (case.expected.status == "completed")
        if run.is_success:
            assert_ended_as_told(case, case.runs[0])


def chosen(test: Test) -> Test:
    """Has a short search go through the same runs each time."""
    return test if DEEP else seed(SEED)(test)


patient = settings(max_examples=RUNS)


@chosen
@patient
@given(eventful_runs())
def test_a_run_ends_as_it_would_whatever_waits(
    database: Database, sql: Session, drawn: Drawn
) -> None:
    assert_ends_as_without_waits(database, sql, drawn)


@chosen
@patient
@given(eventful_trees())
def test_a_tree_of_subflows_ends_as_it_would_whatever_waits(
    database: Database, sql: Session, drawn: Drawn
) -> None:
    assert_ends_as_without_waits(database, sql, drawn)
