"""Answers to steps that wait, and signals: what people and programs say to runs."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal
from uuid import UUID

from jsonschema.exceptions import best_match

from dagster_pgflow.errors import StoreRefused
from dagster_pgflow.json_values.text import write_json
from dagster_pgflow.store.database import Database, Transaction
from dagster_pgflow.validation.bounded_schemas import breaches

_LONGEST: Final = 1000

KEPT_FOR: Final = timedelta(days=1)
"""How long a signal is kept that nothing waits for."""


@dataclass(frozen=True)
class OpenWait:
    """A step that waits for an answer or a signal, a row of `pgflow.v_open_waits`.

    Attributes:
        run_id: Its run.
        flow_slug: The flow of the run.
        step_path: Where it is in the run.
        kind: Whether a person is asked, or a signal is awaited.
        prompt: What is asked.
        answer_schema: JSON Schema of the answer, or of the signal's payload.
        answerers: Who may answer; everybody when there are none.
        signal: The name of the signal.
        key: Which of the signals of this name.
        waiting_since: When it began to wait.
        due_at: When it is over at the latest.
    """

    run_id: UUID
    flow_slug: str
    step_path: str
    kind: Literal["approval", "wait"]
    prompt: str
    answer_schema: Mapping[str, Any] | None
    answerers: tuple[str, ...]
    signal: str | None
    key: str | None
    waiting_since: datetime
    due_at: datetime | None


@dataclass(frozen=True)
class Answered:
    """An answer that counts.

    Attributes:
        answered_by: Who gave it.
        answered_at: When.
    """

    answered_by: str
    answered_at: datetime


class Answers:
    """Answers steps that wait, and sends signals."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def open(
        self, flow_slug: str | None = None, *, run_id: UUID | None = None, limit: int = 1000
    ) -> tuple[OpenWait, ...]:
        """Return what can be answered now, what has waited longest first.

        Args:
            flow_slug: Only in runs of this flow.
            run_id: Only in this run.
            limit: How many at most.
        """
        rows = self._database.fetch_all(
            "fetch_open_waits",
            flow_slug=flow_slug,
            run_id=None if run_id is None else str(run_id),
            limit=limit,
        )
        return tuple(OpenWait(**{**row, "answerers": tuple(row["answerers"])}) for row in rows)

    def answer(
        self,
        run_id: UUID,
        step_path: str,
        answer: Any,
        *,
        answered_by: str | None = None,
        acting_as: str | None = None,
    ) -> Answered:
        """Answer a step that waits, and have its run go on, as `pgflow.answer` does.

        Args:
            run_id: The run.
            step_path: The step, such as `approve` or `order[3].approve`.
            answer: Any JSON value that the step takes.
            answered_by: Who answers; the database role when it is left out.
            acting_as: Which of those that may answer they stand for.

        Raises:
            StoreRefused: Somebody was first, the deadline has passed, the step does not wait, the
                answer breaks its schema, or somebody else may answer; the sentence says which.
            ValueNotJson: The answer is not JSON.

        Example:
            >>> Answers(database).answer(run_id, "approve", {"ok": True})  # doctest: +SKIP
        """
        text = write_json(answer, f'The answer to step "{step_path}"')

        def give(transaction: Transaction) -> Answered:
            [row] = transaction.fetch_all(
                "answer_wait",
                run_id=str(run_id),
                step_path=step_path,
                answer=text,
                answered_by=answered_by,
                acting_as=acting_as,
            )
            # SQL knows a part of JSON Schema; what raises here takes its answer back.
            _refuse_breach(row["answer_schema"], answer, f'Step "{step_path}" of run {run_id}')
            return Answered(row["answered_by"], row["answered_at"])

        return self._database.run(give, is_repeatable=False)

    def signal(
        self,
        name: str,
        payload: Any = None,
        *,
        key: str | None = None,
        expires_in: timedelta = KEPT_FOR,
        broadcast: bool = False,
        sent_from: UUID | None = None,
    ) -> int:
        """Send a signal to what waits for it, as `pgflow.signal` does.

        Args:
            name: Its name, as the step says it.
            payload: Any JSON value; it becomes the answer.
            key: For which of the steps that wait for this name.
            expires_in: For how long it is kept for steps that begin to wait later.
            broadcast: Send it to all that wait; without a key, to all of this name.
            sent_from: The run that sends it, which counts for what triggers start with it: a chain
                of 100 runs ends. Handlers who send it with `ctx.resources.pgflow` need not say it.

        Returns:
            To how many steps it went; when it is 0, it is kept.

        Raises:
            StoreRefused: It has neither a key nor goes to all, or fits nothing that waits.
            ValueNotJson: The payload is not JSON.
        """
        text = write_json(payload, f'The payload of signal "{name}"')
        sent = self._database.run(
            lambda transaction: transaction.fetch_value(
                "send_signal",
                name=name,
                key=key,
                payload=text,
                expires_in_s=expires_in.total_seconds(),
                broadcast=broadcast,
                sent_from=None if sent_from is None else str(sent_from),
            ),
            is_repeatable=False,
        )
        return int(sent)


def _refuse_breach(schema: Any, answer: Any, place: str) -> None:
    if schema is None:
        return
    try:
        error = best_match(breaches(schema, answer))
    except Exception as problem:  # jsonschema stumbles over a bad schema in any way
        reason = str(problem).partition("\n")[0][:_LONGEST]
        raise StoreRefused(f"{place} has a schema that cannot be used: {reason}.") from problem
    if error is not None:
        reason = f"{error.json_path.replace('$', 'answer', 1)}: {error.message}"[:_LONGEST]
        raise StoreRefused(f"{place} does not take this answer: {reason}.")
