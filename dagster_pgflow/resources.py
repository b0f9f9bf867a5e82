"""The Dagster resource of a code location: the store, for steps and for handlers."""

from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any
from uuid import UUID

from dagster_pgflow.json_values.text import write_own_json
from dagster_pgflow.model.guards import GuardName
from dagster_pgflow.names import FINISHED_OUTPUT
from dagster_pgflow.runtime.guards import Admission, CallGuards, CallOutcome, GuardedCall
from dagster_pgflow.runtime.memory import TaskMemory
from dagster_pgflow.runtime.requested import RequestedInputs
from dagster_pgflow.runtime.run_under_way import run_under_way
from dagster_pgflow.runtime.waits import WaitAsked, Waits, WaitState
from dagster_pgflow.store.answers import KEPT_FOR, Answered, Answers
from dagster_pgflow.store.call_guards import CallGuardRows
from dagster_pgflow.store.database import Database
from dagster_pgflow.store.outputs import OutputKey, OutputStore
from dagster_pgflow.store.requests import Requests
from dagster_pgflow.store.waits_of_steps import WaitRows


class StoreOfSteps(TaskMemory, RequestedInputs, CallGuards, Waits):
    """The resource `pgflow` of each job of a flow.

    Handlers reach it as `ctx.resources.pgflow`.

    Attributes:
        database: The database that holds the flows.
    """

    def __init__(self, database: Database) -> None:
        self.database = database
        self._outputs = OutputStore(database)
        self._requests = Requests(database)
        self._guards = CallGuardRows(database)
        self._waits = WaitRows(database)
        self._answers = Answers(database)

    def requested_input(self, run_id: str) -> Any:
        """Return the input that a run was requested with."""
        return self._requests.requested_input(run_id)

    def remember(self, run_id: str, step_key: str, finished: dict[str, Any]) -> None:
        """Keep the finished elements of a batch until its next attempt."""
        self._outputs.put(_key(run_id, step_key), write_own_json(finished, f'Step "{step_key}"'))

    def recall(self, run_id: str, step_key: str) -> dict[str, Any]:
        """Return the finished elements of a batch, or an empty dict."""
        kept = self._outputs.get(_key(run_id, step_key))
        return {} if kept is None else kept.value

    def recall_unfinished(self, run_id: str, step_key: str) -> dict[str, Any] | None:
        """Return the finished elements of a batch, or an empty dict; `None` if it has an output."""
        ended = self._outputs.get(OutputKey(UUID(run_id), step_key)) is not None
        return None if ended else self.recall(run_id, step_key)

    def enter_call(self, call: GuardedCall, without: frozenset[GuardName]) -> Admission:
        """Take a call past its guards."""
        guards = {name: guard for name, guard in call.guards.items() if name not in without}
        said = self._guards.enter(call.tenant, guards, call.call_id, call.holder)
        wait_s = float(said.get("wait", said.get("seconds", 0.0)))
        return Admission(said.get("guard") if "refused" in said else None, wait_s, said)

    def keeping_call(self, call: GuardedCall) -> AbstractContextManager[None]:
        """Keep what a call holds while it is under way."""
        return self._guards.keeping(call.call_id)

    def leave_call(self, call: GuardedCall, admission: Admission, outcome: CallOutcome) -> None:
        """Free what a call holds, and note what it came to."""
        breaker_round = admission.details.get("round")
        self._guards.leave(call.tenant, call.guards, call.call_id, outcome, breaker_round)

    def wait_for(self, asked: WaitAsked) -> WaitState:
        """Have a step wait, unless it does already, and say how that stands."""
        row = self._waits.open(
            run_id=asked.run_id,
            step_path=str(asked.path),
            step_slug=asked.path.slug,
            flow_slug=asked.flow_slug,
            kind=asked.kind,
            tenant=asked.tenant,
            prompt=asked.prompt,
            answer_schema=asked.answer_schema,
            answerers=asked.answerers,
            signal=asked.signal,
            key=asked.key,
            seconds=asked.seconds,
            until=asked.until,
            reminders=asked.reminders,
            dagster_run_id=asked.dagster_run_id,
        )
        return WaitState(**row)

    def answer(
        self,
        run_id: UUID,
        step_path: str,
        answer: Any,
        *,
        answered_by: str | None = None,
        acting_as: str | None = None,
    ) -> Answered:
        """Answer a step of any run that waits; see `Answers.answer`."""
        return self._answers.answer(
            run_id, step_path, answer, answered_by=answered_by, acting_as=acting_as
        )

    def signal(
        self,
        name: str,
        payload: Any = None,
        *,
        key: str | None = None,
        expires_in: timedelta = KEPT_FOR,
        broadcast: bool = False,
    ) -> int:
        """Send a signal to what waits for it, in any run; see `Answers.signal`."""
        return self._answers.signal(
            name,
            payload,
            key=key,
            expires_in=expires_in,
            broadcast=broadcast,
            sent_from=run_under_way(),
        )


def _key(run_id: str, step_key: str) -> OutputKey:
    return OutputKey(UUID(run_id), step_key, FINISHED_OUTPUT)
