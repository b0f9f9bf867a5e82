"""`run_flow`: a flow in a test, with mocks in place of handlers and a clock that does not wait."""

import time
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import dagster as dg

from dagster_pgflow.in_process.cancellation import Cancellation
from dagster_pgflow.in_process.clock import TestClock
from dagster_pgflow.in_process.flow import run_in_process
from dagster_pgflow.in_process.given import FlowSource, HandlerSources
from dagster_pgflow.in_process.stand_ins import StandIns
from dagster_pgflow.in_process.waits import Answers
from dagster_pgflow.model.defaults import UNASKED
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.store.database import Database
from dagster_pgflow.testing.asserted import TestResult


def run_flow(
    flow: FlowSource,
    input: Any = UNASKED,  # the word of SQL's start_flow
    *,
    mock: StandIns | None = None,
    only_mocks: bool = False,
    answers: Answers | None = None,
    handlers: HandlerSources = None,
    flows: Iterable[Flow | Mapping[str, Any]] = (),
    resources: Mapping[str, Any] | None = None,
    now: datetime | None = None,
    database: Database | str | None = None,
    instance: dg.DagsterInstance | None = None,
) -> TestResult:
    """Run a flow in a test, and return what became of it; a run that fails raises nothing.

    Delays before further attempts, start delays and sleeps pass at once, and stand in the result.

    Args:
        flow: As for `execute_flow`.
        input: Its input.
        mock: What stands in for handlers, by the paths of steps: a value that is returned, an
            exception that is raised, or a function that is called as the handler would be; a list
            with exceptions in it has one of these for each attempt. `price[2]` is one element of a
            map step, `each[2].charge` a step of one item; without a number all are meant.
        only_mocks: Whether no handler is called itself: a run that comes to one without a mock is
            refused.
        answers: What steps that wait are answered, by path: JSON, `GivenAnswer(value, "kim")` or
            `DEADLINE_PASSED`. Where a step waits and has no answer, the run is `waiting`.
        handlers: The handlers that are not mocked, over those that installed packages register.
        flows: The flows that it contains.
        resources: Dagster resources for handlers, by key.
        now: When the run begins, for steps that wait; without it, when the test does.
        database: The store or its URL, for a run that is to have rows.
        instance: The Dagster instance, for a run that is to be there afterwards.

    Raises:
        InvalidFlow: The flow cannot run; with all that is wrong.
        UnknownFlow: There is no stored flow of this slug.
        ConfigurationError: An argument makes no sense, such as a mock for a step that there is not,
            or there is no mock where `only_mocks` asks for one.

    Example:
        >>> flow = Flow("order").step("charge").step("tell", depends_on="charge")
        >>> result = run_flow(flow, mock={"charge": {"paid": True}, "tell": "Thank you."})
        >>> result.assert_completed().output
        {'tell': 'Thank you.'}
    """
    result = run_in_process(
        flow,
        input,
        flows=flows,
        handlers=handlers,
        resources=resources,
        database=database,
        instance=instance,
        answers=answers or {},
        stand_ins=mock or {},
        only_stand_ins=only_mocks,
        clock=TestClock(time.time() if now is None else now.timestamp()),
        tags=None,
        cancellation=Cancellation(),
    )
    return TestResult(**vars(result))
