"""The resource `pgflow` of a run in process: what steps ask a store for, and who looks on."""

from typing import Any, NoReturn
from uuid import UUID

from dagster_pgflow.errors import ConfigurationError
from dagster_pgflow.in_process.clock import Clock
from dagster_pgflow.in_process.guards import GuardsInMemory
from dagster_pgflow.in_process.outputs import OutputsInMemory
from dagster_pgflow.in_process.paths import best_match
from dagster_pgflow.in_process.stand_ins import Conducting, StandIns
from dagster_pgflow.in_process.waits import Answers, GivenAnswer, WaitsInMemory
from dagster_pgflow.resources import StoreOfSteps
from dagster_pgflow.runtime.requested import RequestedInputs
from dagster_pgflow.runtime.waits import WaitAsked, WaitState
from dagster_pgflow.store.database import Database


class InProcessResource(
    OutputsInMemory, WaitsInMemory, GuardsInMemory, Conducting, RequestedInputs
):
    """Stands in for a store.

    Args:
        answers: What steps that wait are answered.
        stand_ins: What stands in for handlers.
        clock: The time of the run.
        only_stand_ins: Whether no handler is called itself.
    """

    def __init__(
        self, answers: Answers, stand_ins: StandIns, clock: Clock, *, only_stand_ins: bool = False
    ) -> None:
        OutputsInMemory.__init__(self)
        WaitsInMemory.__init__(self, answers, clock)
        GuardsInMemory.__init__(self, clock)
        Conducting.__init__(self, stand_ins, clock, only_stand_ins)

    def requested_input(self, run_id: str) -> Any:
        """Refuse: an input is never too large for a run in process."""
        self._refuse(f"for the input of request {run_id}")

    @property
    def database(self) -> Database:
        """Refuse: there is none."""
        self._refuse("for its database")

    def answer(self, *_: Any, **__: Any) -> NoReturn:
        """Refuse: who waits in other runs is not known here."""
        self._refuse("to answer a step")

    def signal(self, *_: Any, **__: Any) -> NoReturn:
        """Refuse: who waits in other runs is not known here."""
        self._refuse("to send a signal")

    def _refuse(self, what: str) -> NoReturn:
        raise ConfigurationError(
            f'A handler asks the resource "pgflow" {what}, and this run has no database; give it'
            " one with database=."
        )


class ConductedResource(StoreOfSteps, Conducting):
    """The resource `pgflow` with a store, for a run that somebody looks on at.

    Args:
        database: The store.
        answers: What steps that wait are answered.
        stand_ins: What stands in for handlers.
        clock: The time of the run.
        only_stand_ins: Whether no handler is called itself.
    """

    def __init__(
        self,
        database: Database,
        answers: Answers,
        stand_ins: StandIns,
        clock: Clock,
        *,
        only_stand_ins: bool = False,
    ) -> None:
        StoreOfSteps.__init__(self, database)
        Conducting.__init__(self, stand_ins, clock, only_stand_ins)
        self._given = answers

    def wait_for(self, asked: WaitAsked) -> WaitState:
        """Have a step wait, answer it where there is an answer, and say how that stands."""
        state = super().wait_for(asked)
        place = best_match(self._given, asked.path)
        if state.status != "open" or place is None:
            return state
        given = self._given[place]
        answer = given if isinstance(given, GivenAnswer) else GivenAnswer(given)
        self.answer(UUID(asked.run_id), asked.path, answer.value, answered_by=answer.answered_by)
        return super().wait_for(asked)
