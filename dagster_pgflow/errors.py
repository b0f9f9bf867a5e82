"""Every error that this package raises, in one tree.

    PgflowError
    ├── InvalidFlow             a definition with problems (all of them, `.problems`)
    ├── InvalidExpression       a text that is no CEL (every problem, `.problems`)
    ├── InvalidReference        a text that should lead to a value and cannot
    ├── UnknownFlow             no stored flow has this slug
    ├── UnknownVersion          a flow has no version of this number
    ├── InvalidInput            a run input that breaks the flow's input schema
    ├── ListNotWhole            something of a list did not arrive where it is collected
    ├── ResumptionRefused       a run cannot go on from where it stopped
    ├── RunWithoutOutput        no output for who waits: `store/run_outcomes`
    │   ├── RunFailed               the run failed
    │   ├── RunCancelled            it was cancelled
    │   └── RunTimedOut             it goes on, and the time to wait is over
    ├── ConfigurationError      a setting, URL or data folder that cannot be used
    │   └── EmbeddedPostgresError   the embedded PostgreSQL could not be started or stopped
    ├── LogsLost                what steps print cannot be kept
    ├── StoreError              PostgreSQL said no
    │   ├── StoreUnreachable        no server answers or serves us now, or it has no such database
    │   ├── StoreAccessDenied       wrong user or password, or missing rights
    │   ├── SchemaMissing           the pgflow schema is not there
    │   ├── SchemaOutdated          the schema is older than this code
    │   ├── SchemaTooNew            the schema is newer than this code
    │   ├── SchemaDiffers           the schema was made by other migrations
    │   └── StoreRefused            a SQL function or constraint refused the change
    └── StepError               a step of a run cannot go on; all of these stand in `step_errors`
        ├── UnknownHandler          the step names a handler nobody registered
        ├── HandlerFailed           the handler raised
        ├── ChildRunFailed          a flow that runs as a Dagster run of its own failed there
        ├── HandlerTimedOut         one attempt took longer than its timeout
        ├── InvalidOutput           what a flow returns inside another breaks what was agreed
        ├── ConditionNotMet         an unmet condition with when_unmet = fail
        ├── ExpressionFailed        an expression that has no answer for the values at hand
        ├── ReferenceFailed         a reference that leads to no value
        ├── TypeViolation           a map was fed something that is no list
        ├── NotMerged               what is to be one object was returned as something else
        ├── ValueNotJson            a value that cannot be stored as JSON
        ├── TooManyFailed           more elements of a map failed than it says may
        ├── MembersFailed           a join fails with dependencies of it
        ├── HttpFailed              a web service did not answer an http step as expected
        ├── RetryAfter              raised by handlers: try again in so many seconds
        └── NonRetryable            raised by handlers: do not try again
            └── FailedOnPurpose         a step is there to fail, and says why

Only `runtime/op_bodies.py` turns them into Dagster failures, only `cli/` into exit codes.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final, Literal

MOST_PROBLEMS: Final = 1_000
"""Of the problems of a definition: who has more mends these first."""

LONGEST_COMPARED: Final = 200
MOST_COMPARED: Final = 10_000
"""Of longer names, and among more of them, it takes too long to find the one that may be meant."""

LEAST_LIKE: Final = 0.7
"""How much alike two names are, from 0 to 1, of which one may be meant by the other."""

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


def may_be_meant(given: str, names: Collection[str]) -> str:
    """Return what a sentence says about a name that there is not: a near one, or nothing.

    >>> may_be_meant("ordr", ["order", "payment"]), may_be_meant("x", ["order"])
    (' ("order" may be meant)', '')
    """
    if len(given) > LONGEST_COMPARED or len(names) > MOST_COMPARED:
        return ""
    near = get_close_matches(given, names, 1, cutoff=LEAST_LIKE)
    return f' ("{near[0]}" may be meant)' if near else ""


def more_problems() -> Problem:
    """Return what stands at the end of `MOST_PROBLEMS` problems."""
    return Problem("more-problems", "$", "There are more problems; fix these first.")


class InvalidFlow(PgflowError):
    """A flow or fragment has problems; all of them are in `problems`."""

    def __init__(self, flow_slug: str, problems: Sequence[Problem], kind: str = "Flow") -> None:
        self.flow_slug = flow_slug
        self.problems = tuple(problems)
        count = "1 problem" if len(self.problems) == 1 else f"{len(self.problems)} problems"
        lines = "\n".join(f"  - {problem}" for problem in self.problems)
        super().__init__(f'{kind} "{flow_slug}" has {count}:\n{lines}')


@dataclass(frozen=True)
class ExpressionProblem:
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
    """A text is not CEL, or not of the type that is needed; every problem is in `problems`."""

    def __init__(
        self, text: str, problems: Sequence[ExpressionProblem], what: str = "a condition"
    ) -> None:
        self.text = text
        self.problems = tuple(problems)
        places = "; ".join(
            f"line {problem.line}, column {problem.column}: {problem.message}"
            for problem in self.problems
        )
        shown = text if len(text) <= _SHOWN_LENGTH else f"{text[:_SHOWN_LENGTH]} …"
        # Text that is not Unicode could not be printed.
        sentence = f"`{shown}` is not {what}: {places}."
        super().__init__(sentence.encode(errors="backslashreplace").decode())


class InvalidReference(PgflowError):
    """A text of a definition should be a reference to a value, and is none."""


class UnknownFlow(PgflowError):
    """No stored flow has this slug."""

    def __init__(self, flow_slug: str, hint: str = "") -> None:
        """Say that there is no such flow.

        Args:
            flow_slug: The slug.
            hint: Which one may be meant, as `may_be_meant` says it.
        """
        self.flow_slug = flow_slug
        super().__init__(
            f'There is no flow "{flow_slug}"{hint}; `dagster-pgflow list` shows the flows that'
            " exist."
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


class LogsLost(PgflowError):
    """What the steps of a run print cannot be kept, or not all of it."""


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
    """The pgflow schema is newer than this code can live with; upgrade dagster_pgflow."""


class SchemaDiffers(StoreError):
    """The pgflow schema was made by other migrations than those of this code."""


class StoreRefused(StoreError):
    """A SQL function or a constraint refused a change; nothing was written.

    Attributes:
        code: The code of the problem, where the error says it: those of our functions do.
        constraint: The constraint that was broken, if it was one; `pgflow.problem_code` knows
            the code.
    """

    def __init__(
        self,
        message: str,
        trouble: Trouble | None = None,
        *,
        code: str | None = None,
        constraint: str | None = None,
    ) -> None:
        self.code = code
        self.constraint = constraint
        super().__init__(message, trouble)
