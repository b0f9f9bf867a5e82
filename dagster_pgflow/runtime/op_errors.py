"""The exceptions with which an op fails or is tried again, as Dagster's web UI shows them.

Dagster shows an exception with all frames that it came through, its own and ours, and what the
handler raised as the last of those that led to it. One that says itself how it is to be shown is
taken at its word: so what the handler raised comes first, with the handler's own frames.
"""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from dagster_pgflow.compat import DagsterUserCodeProcessError, SerializableErrorInfo
from dagster_pgflow.errors import PgflowError
from dagster_pgflow.runtime.exceptions_told import ToldException, told_of
from dagster_pgflow.step_errors import HandlerFailed, NonRetryable, RetryAfter


class OpFailure(DagsterUserCodeProcessError, dg.Failure):
    """An op fails its run.

    Args:
        error: What went wrong.
        metadata: What is told of it.
    """

    def __init__(self, error: PgflowError, metadata: Mapping[str, Any]) -> None:
        super().__init__(  # type: ignore[no-untyped-call]
            description=str(error),
            metadata=metadata,
            # The attempts were counted here; Dagster has no retries to add.
            allow_retries=False,
            user_code_process_error_infos=[shown_error(error)],
        )


class OpRetry(DagsterUserCodeProcessError, dg.RetryRequested):
    """An op is to run again.

    Args:
        error: Why.
        max_retries: How often it may run again at most.
        seconds: How long Dagster waits before.
    """

    def __init__(self, error: Exception, max_retries: int, seconds: float) -> None:
        super().__init__(  # type: ignore[no-untyped-call]
            max_retries=max_retries,
            seconds_to_wait=seconds,
            user_code_process_error_infos=[shown_error(error)],
        )


def shown_error(error: Exception) -> SerializableErrorInfo:
    """Return an error as Dagster shows it: what a handler raised, or else what we say.

    Args:
        error: What is raised from what a handler raised, or says in one sentence what is wrong.
    """
    raised = None if error.__cause__ is error else error.__cause__
    told = None if raised is None else _info(told_of(raised))
    if told is not None and isinstance(error, HandlerFailed | RetryAfter | NonRetryable):
        return told
    return SerializableErrorInfo(f"{error}\n", [], type(error).__name__, told)


def _info(told: ToldException) -> SerializableErrorInfo:
    return SerializableErrorInfo(
        message=told.message,
        stack=list(told.stack),
        cls_name=told.kind,
        cause=None if told.cause is None else _info(told.cause),
        context=None if told.context is None else _info(told.context),
    )
