"""The fluent way to write down steps that wait."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, Self, Unpack

from pydantic import BaseModel

from dagster_pgflow.model.fluent_settings import DataMapSettings, StepSettings
from dagster_pgflow.model.steps import ApprovalStep, SleepStep, Step, WaitStep
from dagster_pgflow.model.steps.waiting import OnDeadline


class FluentWaits(BaseModel):
    """The methods that return the same with one step more, which waits."""

    def approval(
        self,
        slug: str,
        *,
        prompt: str,
        answerers: Sequence[str] | str = (),
        deadline: int | None = None,
        on_deadline: OnDeadline = "fail",
        default_answer: Any = None,
        on_timeout: str | None = None,
        key: str | None = None,
        answer_schema: Any = None,
        reminders: Sequence[int] | int = (),
        **settings: Unpack[DataMapSettings],
    ) -> Self:
        """Return this with one more step, which waits until a person has answered.

        Args:
            slug: The step's name.
            prompt: What the person is asked, with references such as `${$input.amount}`.
            answerers: Who may answer, names or roles; anybody when there are none.
            deadline: How many seconds it waits at most.
            on_deadline: What happens then: it fails, is skipped, or goes on (`continue`).
            default_answer: What it returns as the answer when it goes on without one.
            on_timeout: The step that goes on when the deadline passes.
            key: CEL that says what else the question is known by.
            answer_schema: JSON Schema of the answer, or a type.
            reminders: After how many seconds somebody is to be reminded.
            **settings: See `DataMapSettings`.

        Raises:
            InvalidFlow: There is no such argument, or it cannot be what it is.
        """
        own = {
            "prompt": prompt,
            "answerers": answerers,
            "deadline": deadline,
            "on_deadline": on_deadline,
            "default_answer": default_answer,
            "on_timeout": on_timeout,
            "key": key,
            "answer_schema": answer_schema,
            "reminders": reminders,
        }
        return self._with(ApprovalStep, slug, own, settings)

    def wait(
        self,
        slug: str,
        *,
        signal: str,
        deadline: int | None = None,
        on_deadline: OnDeadline = "fail",
        default_answer: Any = None,
        on_timeout: str | None = None,
        key: str | None = None,
        answer_schema: Any = None,
        reminders: Sequence[int] | int = (),
        **settings: Unpack[DataMapSettings],
    ) -> Self:
        """Return this with one more step, which waits until a signal has arrived.

        Args:
            slug: The step's name.
            signal: The name of the signal.
            deadline: How many seconds it waits at most.
            on_deadline: What happens then: it fails, is skipped, or goes on (`continue`).
            default_answer: What it returns as the answer when it goes on without a signal.
            on_timeout: The step that goes on when the deadline passes.
            key: CEL that says for which of the signals of this name it waits.
            answer_schema: JSON Schema of what the signal carries, or a type.
            reminders: After how many seconds somebody is to be reminded.
            **settings: See `DataMapSettings`.

        Raises:
            InvalidFlow: There is no such argument, or it cannot be what it is.
        """
        own = {
            "signal": signal,
            "deadline": deadline,
            "on_deadline": on_deadline,
            "default_answer": default_answer,
            "on_timeout": on_timeout,
            "key": key,
            "answer_schema": answer_schema,
            "reminders": reminders,
        }
        return self._with(WaitStep, slug, own, settings)

    def sleep(
        self,
        slug: str,
        *,
        seconds: int | None = None,
        until: str | None = None,
        **settings: Unpack[DataMapSettings],
    ) -> Self:
        """Return this with one more step, which waits until a time has passed.

        Args:
            slug: The step's name.
            seconds: How many seconds after it began.
            until: CEL that gives the time as text, such as `input.due`.
            **settings: See `DataMapSettings`.

        Raises:
            InvalidFlow: There is no such argument, or it cannot be what it is.
        """
        return self._with(SleepStep, slug, {"seconds": seconds, "until": until}, settings)

    @abstractmethod
    def _with(
        self,
        kind: type[Step],
        slug: str,
        own: dict[str, Any],
        settings: StepSettings,
    ) -> Self: ...
