"""What keeps a step of a run from going on; the tree stands in `errors`."""

from collections.abc import Mapping
from math import isfinite

from dagster_pgflow.errors import PgflowError


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


class NotMerged(StepError):
    """What is to be laid over objects, in the step at `step_path` or by its flow, is none."""

    def __init__(self, message: str, step_path: str) -> None:
        self.step_path = step_path
        super().__init__(message)


class ValueNotJson(StepError):
    """A value cannot be stored as JSON."""


class TooManyFailed(StepError):
    """More elements of a map step failed than `max_failures` or its percentage says may."""


class MembersFailed(StepError):
    """Dependencies of a join failed whose failures it catches.

    Attributes:
        members: What went wrong with each of them, by slug.
        others: What the dependencies returned that are no members.
    """

    def __init__(
        self, message: str, members: Mapping[str, str], others: Mapping[str, object]
    ) -> None:
        self.members = members
        self.others = others
        super().__init__(message)


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
            raise ValueError(f"{seconds} is not a number of seconds after which to try again.")
        super().__init__(message or f"The handler asked to be tried again after {seconds} s.")


class NonRetryable(StepError):
    """Raise it in a handler to fail the step at once, whatever attempts are left."""


class WaitEnded(NonRetryable):
    """What a step waited for does not come any more, or is not as it must be."""


class DeadlinePassed(WaitEnded, HandlerTimedOut):
    """A step waited until its deadline, which says that it fails then."""


class FailedOnPurpose(NonRetryable):
    """A step is there to fail where a run must not come by; its message is all there is to say."""
