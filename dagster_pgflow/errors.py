"""Every error that this package raises, in one tree.

    PgflowError
    ├── InvalidFlow             a definition with problems (all of them, `.problems`)
    ├── InvalidExpression       a text that is no CEL (every mistake, `.mistakes`)
    ├── InvalidReference        a text that should lead to a value and cannot
    ├── UnknownFlow             no stored flow has this slug
    ├── UnknownVersion          a flow has no version of this number
    ├── InvalidInput            a run input that breaks the flow's input schema
    ├── ListNotWhole            something of a list did not arrive where it is collected
    ├── ResumptionRefused       a run cannot go on from where it stopped
    ├── ConfigurationError      a setting, URL or data folder that cannot be used
    │   └── EmbeddedPostgresError   the embedded PostgreSQL could not be started or stopped
    ├── StoreError              PostgreSQL said no
    │   ├── StoreUnreachable        no server answers or serves us now, or it has no such database
    │   ├── StoreAccessDenied       wrong user or password, or missing rights
    │   ├── SchemaMissing           the pgflow schema is not there
    │   ├── SchemaOutdated          the schema is older than this code
    │   ├── SchemaTooNew            the schema is newer than this code
    │   └── StoreRefused            a SQL function or constraint refused the change
    └── StepError               a step of a run cannot go on
        ├── UnknownHandler          the step names a handler nobody registered
        ├── HandlerFailed           the handler raised
        ├── ChildRunFailed          a flow that runs as a Dagster run of its own failed there
        ├── HandlerTimedOut         one attempt took longer than its timeout
        ├── InvalidOutput           what a flow returns inside another breaks what was agreed
        ├── ConditionNotMet         an unmet condition with when_unmet = fail
        ├── ExpressionFailed        an expression that has no answer for the values at hand
        ├── ReferenceFailed         a reference that leads to no value
        ├── TypeViolation           a map was fed something that is no list
        ├── ValueNotJson            a value that cannot be stored as JSON
        ├── TooManyFailed           more elements of a map failed than it says may
        ├── HttpFailed              a web service did not answer an http step as expected
        ├── RetryAfter              raised by handlers: try again in so many seconds
        └── NonRetryable            raised by handlers: do not try again

Only `runtime/op_bodies.py` turns them into Dagster failures, only `cli/` into exit codes.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Final, Literal

MOST_TOLD: Final = 1_000
"""Of the problems of a definition: who has more mends these first."""

_SHOWN_LENGTH: Final = 200
_LONG_WORD: Final = re.compile(rf"(\S{{{_SHOWN_LENGTH // 2}}})\S{{{_SHOWN_LENGTH // 2},}}")


class PgflowError(Exception):
    """The root of all errors of this package.

    Attributes:
        is_routable: Whether it says something about the flow that it fails, so that a flow around
            may go on after it, and not only about the store or the run.
    """

    is_routable: bool = True


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a definition.

    Attributes:
        code: A stable, kebab-case name of the rule, such as `unknown-dependency`.
        path: Where, in the words of the definition, such as `steps.charge.depends_on`.
        message: One sentence that says what is wrong and what to do.
    """

    code: str
    path: str
    message: str

    def __str__(self) -> str:
        return in_short_words(f"{self.path}: {self.message} [{self.code}]")


def in_short_words(sentence: str) -> str:
    """Return a sentence that people can read, whatever names it quotes.

    >>> len(in_short_words("There is no flow " + 100_000 * "a"))
    118
    """
    return _LONG_WORD.sub(r"\1…", sentence)


def more_problems() -> Problem:
    """Return what stands at the end of `MOST_TOLD` problems."""
    return Problem("more-problems", "$", "There are more problems; mend these first.")


class InvalidFlow(PgflowError):
    """A flow or fragment has problems; all of them are in `problems`."""

    def __init__(self, flow_slug: str, problems: Sequence[Problem], kind: str = "Flow") -> None:
        self.flow_slug = flow_slug
        self.problems = tuple(problems)
        count = "1 problem" if len(self.problems) == 1 else f"{len(self.problems)} problems"
        lines = "\n".join(f"  - {problem}" for problem in self.problems)
        super().__init__(f'{kind} "{flow_slug}" has {count}:\n{lines}')


@dataclass(frozen=True)
class Mistake:
    """One thing that is wrong with an expression.

    Attributes:
        line: Where, from 1.
        column: Where in the line, from 1.
        message: What, as a part of a sentence.
    """

    line: int
    column: int
    message: str


class InvalidExpression(PgflowError):
    """A text is no condition, or no expression, in CEL; every mistake is in `mistakes`."""

    def __init__(self, text: str, mistakes: Sequence[Mistake], what: str = "condition") -> None:
        self.text = text
        self.mistakes = tuple(mistakes)
        places = "; ".join(
            f"line {mistake.line}, column {mistake.column}: {mistake.message}"
            for mistake in self.mistakes
        )
        shown = text if len(text) <= _SHOWN_LENGTH else f"{text[:_SHOWN_LENGTH]} …"
        # Text that is no Unicode could not be printed.
        told = f"`{shown}` is no {what}: {places}."
        super().__init__(told.encode(errors="backslashreplace").decode())


class InvalidReference(PgflowError):
    """A text of a definition should be a reference to a value, and is none."""


class UnknownFlow(PgflowError):
    """No stored flow has this slug."""

    def __init__(self, flow_slug: str) -> None:
        self.flow_slug = flow_slug
        super().__init__(
            f'There is no flow "{flow_slug}"; `dagster-pgflow list` shows the flows that exist.'
        )


class UnknownVersion(PgflowError):
    """A flow has no version of this number, or this version says that it was deleted."""

    def __init__(self, flow_slug: str, version: int, newest: int) -> None:
        self.flow_slug = flow_slug
        self.version = version
        super().__init__(
            f'Flow "{flow_slug}" has no version {version}, or was deleted by it;'
            f" its newest version is {newest}."
        )


class InvalidInput(PgflowError):
    """The input of a run, or of a flow inside one, breaks the flow's input schema.

    Attributes:
        step_path: The subflow step that gives the flow this input; empty for the run's own.
    """

    def __init__(self, message: str, step_path: str = "") -> None:
        self.step_path = step_path
        super().__init__(message)


class ListNotWhole(PgflowError):
    """Something of a list did not arrive, or came twice, where all of it is collected.

    It says nothing about the step that collects, so no flow goes on after it.
    """

    is_routable = False

    def __init__(self, what: str) -> None:
        super().__init__(
            f"{what} Nothing is handed on; `dagster-pgflow retry` with this run runs what is"
            " missing."
        )


class ResumptionRefused(PgflowError):
    """A run cannot go on from where it stopped."""


class ConfigurationError(PgflowError):
    """A setting, URL or folder cannot be used as it is."""


class EmbeddedPostgresError(ConfigurationError):
    """The embedded PostgreSQL could not be started, joined or stopped."""


Trouble = Literal["away", "busy", "conflict"]
"""What passes by itself: no server answers, it takes nobody now, another session was faster."""


class StoreError(PgflowError):
    """PostgreSQL could not do what was asked.

    Attributes:
        trouble: What kind of trouble it is, where it may pass by itself.
        is_in_doubt: Whether it may have been done all the same: the answer to a commit was lost.
    """

    def __init__(
        self, message: str, trouble: Trouble | None = None, *, is_in_doubt: bool = False
    ) -> None:
        self.trouble = trouble
        self.is_in_doubt = is_in_doubt
        super().__init__(message)

    is_routable = False


class StoreUnreachable(StoreError):
    """No server answers at the address, it takes nobody now, or it has no such database."""


class StoreAccessDenied(StoreError):
    """The server refused the user or the password, or the user lacks a right."""


class SchemaMissing(StoreError):
    """The database has no pgflow schema yet; `dagster-pgflow migrate` creates it."""


class SchemaOutdated(StoreError):
    """The pgflow schema is older than this code; `dagster-pgflow migrate` brings it up."""


class SchemaTooNew(StoreError):
    """The pgflow schema is newer than this code; upgrade dagster_pgflow."""


class StoreRefused(StoreError):
    """A SQL function or a constraint refused a change; nothing was written."""


class StepError(PgflowError):
    """A step of a run cannot go on."""


class UnknownHandler(StepError):
    """The step names a handler that this code location did not register."""


class HandlerFailed(StepError):
    """The handler of a step raised an error."""


class ChildRunFailed(StepError):
    """A flow that a subflow step runs as a Dagster run of its own failed there.

    Attributes:
        reason: What went wrong, in the words of the step that failed.
        step_path: That step, or the subflow step itself when no step inside failed.
        is_routable: Whether it says something about the flow, and not only about the store.
    """

    def __init__(
        self, message: str, reason: str, step_path: str, *, is_routable: bool = True
    ) -> None:
        self.reason = reason
        self.step_path = step_path
        self.is_routable = is_routable
        super().__init__(message)


class HandlerTimedOut(StepError):
    """One attempt of a step took longer than its timeout."""


class ConditionNotMet(StepError):
    """A condition did not hold and `when_unmet` is `fail`.

    Attributes:
        step_path: The step that has the condition, which may be a subflow around the step that
            found out.
    """

    def __init__(self, message: str, step_path: str) -> None:
        self.step_path = step_path
        super().__init__(message)


class InvalidOutput(StepError):
    """What a flow returns inside another breaks its output schema, or cannot be mapped.

    Attributes:
        step_path: The subflow step that runs the flow.
    """

    def __init__(self, message: str, step_path: str) -> None:
        self.step_path = step_path
        super().__init__(message)


class ExpressionFailed(StepError):
    """An expression has no answer for the values that it looks at."""


class ReferenceFailed(StepError):
    """A reference leads to no value, among the values at hand."""


class TypeViolation(StepError):
    """A map step was fed something that is no list."""


class ValueNotJson(StepError):
    """A value cannot be stored as JSON."""


class TooManyFailed(StepError):
    """More elements of a map step failed than `max_failures` or its percentage says may."""


class HttpFailed(StepError):
    """A web service could not be reached, or did not answer an http step as expected."""


class RetryAfter(StepError):
    """Raise it in a handler to be tried again after so many seconds.

    Args:
        seconds: The delay before the next attempt; it replaces the growing default delay. The text
            of a number is one too, as in an HTTP header `Retry-After`.
        message: Why, for the run's log.

    Raises:
        ValueError: Nobody can wait that long: it is infinite, or no number.
    """

    def __init__(self, seconds: float | str, message: str = "") -> None:
        self.seconds = float(seconds)
        if not isfinite(self.seconds):
            raise ValueError(f"Nothing can be tried again after {seconds} s.")
        super().__init__(message or f"The handler asked to be tried again after {seconds} s.")


class NonRetryable(StepError):
    """Raise it in a handler to fail the step at once, whatever attempts are left."""
