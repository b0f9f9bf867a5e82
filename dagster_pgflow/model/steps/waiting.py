"""What steps have in common that wait for an answer: of a person, or as a signal.

Such a step has no handler. It asks, and where nothing else is left to do the run ends in Dagster;
the answer, or the deadline, has it go on.
"""

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import BeforeValidator

from dagster_pgflow.errors import Problem
from dagster_pgflow.model.described import Examples
from dagster_pgflow.model.exact import Whole
from dagster_pgflow.model.schema import json_schema_of
from dagster_pgflow.model.steps.data_map import DataMapFields, KeepingStep
from dagster_pgflow.model.steps.fields import Argument, CommonFields, Host, JsonSchema

OnDeadline = Literal["fail", "skip", "continue"]

MOST_SECONDS: Final = 2**31 - 1
"""What an integer of SQL holds: 68 years."""

MOST_REMINDERS: Final = 100

WANTED: Final = {"default_answer": "continue", "on_timeout": "fail"}
"""What must happen at the deadline for a field to mean something."""

LONGEST_NAME: Final = 200
"""How many characters the name of a signal may have, or of somebody who may answer."""


def _schema(given: Any) -> Any:
    """Return the schema of a type; what documents may hold is never taken for one."""
    is_json = isinstance(given, dict | list | str | bool | int | float)
    return given if given is None or is_json else json_schema_of(given)


def _in_a_list(given: Any) -> Any:
    return (given,) if isinstance(given, int) and not isinstance(given, bool) else given


class WaitingFields(CommonFields, DataMapFields, total=False):
    """What a step may say besides that waits for an answer."""

    deadline: int
    on_deadline: OnDeadline
    default_answer: Any
    on_timeout: str
    key: str
    answer_schema: Any
    reminders: Sequence[int] | int


class WaitingStep(KeepingStep):
    """A step that waits for an answer.

    It returns `{answer, answered_by, answered_at}`; where it goes on without an answer
    `{timed_out: true}`, with the default answer if there is one.

    Attributes:
        deadline: How many seconds it waits at most.
        on_deadline: What happens then: the step fails, is skipped, or goes on without an answer.
        default_answer: What it returns as the answer when it goes on without one.
        on_timeout: The step that the run goes on with when the deadline passes.
        key: CEL that says for which of the answers of one name it waits; without it, for those to
            this step of this run.
        answer_schema: JSON Schema of the answer.
        reminders: After how many seconds somebody is to be reminded.
    """

    timeout_means: ClassVar[str] = "its deadline passes"

    examples: ClassVar[Examples] = {
        "deadline": 86400,
        "default_answer": {"approved": False},
        "on_timeout": "escalate",
        "key": "input.order_id",
        "answer_schema": {"type": "boolean"},
        "reminders": [3600],
    }

    deadline: Whole | None = None
    on_deadline: OnDeadline = "fail"
    default_answer: Any = None
    on_timeout: str | None = None
    key: str | None = None
    answer_schema: Annotated[
        JsonSchema | None, Argument("a JSON Schema, or a type"), BeforeValidator(_schema)
    ] = None
    reminders: Annotated[
        tuple[Whole, ...], Argument("a number of seconds, or a list of them", _in_a_list)
    ] = ()

    @property
    def failure_steps(self) -> dict[str, str]:
        """The steps that the run goes on with when this one failed, or nobody answered in time."""
        if self.on_timeout is None:
            return super().failure_steps
        return {**super().failure_steps, "on_timeout": self.on_timeout}

    @property
    def computed(self) -> dict[str, str]:
        """Its key."""
        return {} if self.key is None else {"key": self.key}

    def problems(self) -> Iterator[Problem]:
        """Yield a time out of range, and what contradicts what is said of the deadline."""
        if self.deadline is not None:
            yield from problems_of_seconds(self.slug, "deadline", self.deadline)
        given = [name for name in WANTED if getattr(self, name) is not None]
        for name in given:
            if self.on_deadline != WANTED[name]:
                yield Problem(
                    "contradicts-deadline",
                    f"steps.{self.slug}.{name}",
                    f'Step "{self.slug}" has {name}, which needs on_deadline "{WANTED[name]}", not'
                    f' "{self.on_deadline}"; change it, or leave {name} out.',
                )
        said = [*([] if self.on_deadline == "fail" else ["on_deadline"]), *given]
        for name in said if self.deadline is None else ():
            yield Problem(
                "no-deadline",
                f"steps.{self.slug}.{name}",
                f'Step "{self.slug}" says in {name} what happens when its deadline passes, and has'
                f" none; add deadline, a number of seconds, or leave {name} out.",
            )
        yield from self._problems_of_reminders()

    def _problems_of_reminders(self) -> Iterator[Problem]:
        place = f"steps.{self.slug}.reminders"
        if len(self.reminders) > MOST_REMINDERS:
            yield Problem(
                "invalid-reminder",
                place,
                f"There are {len(self.reminders)} reminders; a step has at most {MOST_REMINDERS}.",
            )
        for index, seconds in enumerate(self.reminders[:MOST_REMINDERS]):
            if not 1 <= seconds <= MOST_SECONDS:
                yield Problem(
                    "invalid-reminder",
                    f"{place}[{index}]",
                    f"A reminder comes after {seconds} seconds; it must be from 1 to"
                    f" {MOST_SECONDS}.",
                )
            elif self.deadline is not None and seconds >= self.deadline:
                yield Problem(
                    "invalid-reminder",
                    f"{place}[{index}]",
                    f"A reminder comes after {seconds} seconds, when the deadline of"
                    f" {self.deadline} has passed; let it come earlier, or leave it out.",
                )

    def in_host(self, host: Host) -> dict[str, Any]:
        """Return its key in the names of the host."""
        return super().in_host(host) | dict(host.computed_of(self))

    def shown_waiting(self) -> Iterator[str]:
        """Yield until when it waits, and what then, as `dagster-pgflow show` has it."""
        if self.key is not None:
            yield f"key {self.key}"
        if self.deadline is not None:
            then = {"fail": "fails", "skip": "is skipped", "continue": "goes on"}[self.on_deadline]
            yield f"{then} after {self.deadline} s"
        if self.reminders:
            yield f"reminders after {', '.join(map(str, self.reminders))} s"

    def described_data(self) -> Iterator[str]:
        """Yield the same in sentences."""
        yield from super().described_data()
        if self.deadline is not None:
            then = {"fail": "fails", "skip": "is skipped", "continue": "goes on without an answer"}
            yield f"After {self.deadline} s it {then[self.on_deadline]}."


def problems_of_seconds(slug: str, field: str, seconds: int) -> Iterator[Problem]:
    """Yield that a number of seconds is none that a step can wait.

    Args:
        slug: The step that says it.
        field: The field.
        seconds: The number.
    """
    if not 1 <= seconds <= MOST_SECONDS:
        yield Problem(
            "seconds-out-of-range",
            f"steps.{slug}.{field}",
            f"{field} is {seconds}; it must be from 1 to {MOST_SECONDS} seconds.",
        )


def problems_of_name(slug: str, code: str, place: str, name: str) -> Iterator[Problem]:
    """Yield that a name is empty or too long.

    Args:
        slug: The step that says it.
        code: The code of such a problem.
        place: Where it says it.
        name: The name.
    """
    if not 1 <= len(name) <= LONGEST_NAME:
        yield Problem(
            code,
            f"steps.{slug}.{place}",
            f"{place} is a name of 1 to {LONGEST_NAME} characters, this one has {len(name)};"
            " write another.",
        )
