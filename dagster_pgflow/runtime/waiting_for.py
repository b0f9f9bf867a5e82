"""What a step waits for, of what it received; and what it returns when that has come."""

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final, NoReturn, assert_never

from dagster_pgflow.expressions.references import (
    INPUT,
    NODES,
    params_filled,
    well_formed_references_in,
)
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.lowered import whole_of
from dagster_pgflow.model.steps import ApprovalStep, SleepStep, WaitingStep, WaitStep
from dagster_pgflow.reports.report import WaitKind
from dagster_pgflow.runtime.conditions import Facts, computed, values_before
from dagster_pgflow.runtime.data_map import Received
from dagster_pgflow.runtime.guarded_steps import TENANT_TAG
from dagster_pgflow.runtime.inputs import breach
from dagster_pgflow.runtime.values import kind_of, to_json
from dagster_pgflow.runtime.waits import WaitAsked, WaitState
from dagster_pgflow.step_errors import (
    DeadlinePassed,
    ExpressionFailed,
    ReferenceFailed,
    ValueNotJson,
    WaitEnded,
)
from dagster_pgflow.step_path import StepPath

LONGEST_QUESTION: Final = 100_000
"""How many characters a prompt may have when values have been put into it."""

LONGEST_SHOWN: Final = 1_000
"""How much of a prompt Dagster's log has, and the state of the step; the wait has all of it."""

LONGEST_KEY: Final = 1_000
SHOWN: Final = 200


@dataclass(frozen=True)
class Asking:
    """A step that begins to wait.

    Attributes:
        flow: The flow that it belongs to.
        step: The step.
        path: Its place in the run.
        given: What it was given: `{dep: output}`, or the flow input at the root of a flow.
        received: The same as its expressions may ask for it.
        facts: What else they may ask.
    """

    flow: Flow
    step: WaitingStep | SleepStep
    path: StepPath
    given: Any
    received: Received
    facts: Facts

    def asked(self) -> WaitAsked:
        """Return what the step waits for.

        Raises:
            WaitEnded: That cannot be put together of what it received.
        """
        step, flow = self.step, whole_of(self.flow)
        asked = WaitAsked(
            self.facts.run_id,
            self.path,
            flow.slug,
            self._kind,
            flow.tags.get(TENANT_TAG, ""),
        )
        if isinstance(step, SleepStep):
            until = None if step.until is None else self._moment()
            return replace(asked, seconds=step.seconds, until=until)
        asked = replace(
            asked,
            answer_schema=step.answer_schema,
            key=None if step.key is None else self._key(),
            seconds=step.deadline,
            reminders=step.reminders,
        )
        if isinstance(step, ApprovalStep):
            return replace(asked, prompt=self._question(step.prompt), answerers=step.answerers)
        return replace(asked, signal=step.signal if isinstance(step, WaitStep) else None)

    @property
    def _kind(self) -> WaitKind:
        match self.step:
            case ApprovalStep():
                return "approval"
            case SleepStep():
                return "sleep"
            case _:
                return "wait"

    def _question(self, prompt: str) -> str:
        values = {NODES: self.given if self.step.depends_on else {}}
        if any(found.root == INPUT for _, found in well_formed_references_in(prompt)):
            values[INPUT] = self.facts.flow_input()
        try:
            filled = params_filled({"prompt": prompt}, values, _no_secret)["prompt"]
        except ReferenceFailed as error:
            reason = str(error).removeprefix("params.prompt: ")
            self._fail(f"has a prompt that cannot be put together: {reason}")
        text = filled if isinstance(filled, str) else json.dumps(filled, ensure_ascii=False)
        if len(text) > LONGEST_QUESTION:
            self._fail(
                f"has a prompt of {len(text)} characters with its values, and at most"
                f" {LONGEST_QUESTION} can be asked; refer to less in it."
            )
        return text

    def _key(self) -> str:
        value = self._computed("key")
        if value is None:
            self._fail(f"has the key `{self.step.computed['key']}`, which gives null; give a text.")
        text = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
        if len(text) > LONGEST_KEY:
            self._fail(f"has a key of {len(text)} characters; it may have {LONGEST_KEY}.")
        return text

    def _moment(self) -> float:
        value = self._computed("until")
        named = f"`{self.step.computed['until']}`"
        if not isinstance(value, str):
            self._fail(f"sleeps until {named}, which gives {kind_of(value)}; let it give a text.")
        try:
            moment = datetime.fromisoformat(value)
            # In UTC it can lie before the year 1, or behind 9999.
            seconds = moment.astimezone(UTC).timestamp() if moment.tzinfo else None
        except (ValueError, OverflowError):
            seconds = None
        if seconds is None:
            shown = value if len(value) <= SHOWN else f"{value[:SHOWN]} …"
            self._fail(
                f'sleeps until {named}, which gives "{shown}"; a time with its zone is written'
                " 2030-01-31T12:00:00Z."
            )
        return seconds

    def _computed(self, name: str) -> Any:
        slug, text = whole_of(self.flow).slug, self.step.computed[name]
        values = values_before(self.step, self.received, self.facts, slug, self.path)
        try:
            return computed(text, values, self.facts)
        except ExpressionFailed as error:
            self._fail(f"has no answer to its {name} `{text}`: {error}.")

    def _fail(self, reason: str) -> NoReturn:
        raise WaitEnded(f'Step "{self.path}" {reason}')


def _no_secret(name: str) -> str:
    raise ReferenceFailed(f"secret {name} belongs in no prompt, which is stored and shown")


def shown_wait(asked: WaitAsked) -> str:
    """Return what a step waits for, for people: not all of a long prompt."""
    whole = _whole_wait(asked)
    return whole if len(whole) <= LONGEST_SHOWN else f"{whole[:LONGEST_SHOWN]} …"


def _whole_wait(asked: WaitAsked) -> str:
    match asked.kind:
        case "approval":
            return asked.prompt
        case "wait":
            key = "" if asked.key is None else f' with key "{asked.key}"'
            return f'signal "{asked.signal}"{key}'
        case "sleep":
            until = None if asked.until is None else rfc3339(asked.until)
            return f"{asked.seconds} s to pass" if until is None else f"time {until}"
        case _:
            assert_never(asked.kind)


def output_after(
    step: WaitingStep | SleepStep, path: StepPath, asked: WaitAsked, state: WaitState
) -> dict[str, Any]:
    """Return what a step returns that waited, which is not laid over its input here.

    Args:
        step: The step.
        path: Its place in the run.
        asked: What it waited for.
        state: How that ended.

    Raises:
        DeadlinePassed: Its deadline passed, and it fails then.
        WaitEnded: Somebody cancelled it, or the answer does not fit.
    """
    if state.status == "cancelled":
        raise WaitEnded(f'Step "{path}" waits no more: somebody cancelled its wait.')
    if isinstance(step, SleepStep):
        return {"slept_until": _end_of(state)}
    if state.status == "timed_out":
        return _without_answer(step, path, asked)
    return _with_answer(step, path, state)


def is_skipped_after(step: WaitingStep | SleepStep, state: WaitState) -> bool:
    """Return whether a step is skipped, because nobody answered in time."""
    waits = isinstance(step, WaitingStep) and step.on_deadline == "skip"
    return waits and state.status == "timed_out"


def rfc3339(seconds: float) -> str:
    """Return a moment, in seconds since the epoch, as text in UTC.

    >>> rfc3339(1.5)
    '1970-01-01T00:00:01.500000Z'
    """
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


def _without_answer(step: WaitingStep, path: StepPath, asked: WaitAsked) -> dict[str, Any]:
    if step.on_deadline != "continue":
        what = shown_wait(asked)
        shown = what if len(what) <= SHOWN else f"{what[:SHOWN]} …"
        raise DeadlinePassed(f'Step "{path}" waited {step.deadline} s in vain for: {shown}')
    default = {} if step.default_answer is None else {"answer": step.default_answer}
    return {"timed_out": True, **default}


def _with_answer(step: WaitingStep, path: StepPath, state: WaitState) -> dict[str, Any]:
    reason = breach(step.answer_schema, state.answer)
    if reason is not None:
        raise WaitEnded(f'The answer to step "{path}" does not fit its schema: {reason}.')
    output = {
        "answer": state.answer,
        "answered_by": state.answered_by,
        "answered_at": state.closed_at,
    }
    try:
        made: dict[str, Any] = to_json(output)
    except ValueNotJson as error:
        raise WaitEnded(f'The answer to step "{path}" cannot be taken. {error}') from None
    return made


def _end_of(state: WaitState) -> str | None:
    return state.closed_at if state.due_at is None else rfc3339(state.due_at)
