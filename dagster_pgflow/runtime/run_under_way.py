"""Which run a handler works for, for what it calls that is not handed its context."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final
from uuid import UUID

_RUN: Final[ContextVar[str | None]] = ContextVar("run_under_way", default=None)


@contextmanager
def working_for(run_id: str) -> Iterator[None]:
    """Have handlers within work for a run; their threads take it over with the context."""
    token = _RUN.set(run_id)
    try:
        yield
    finally:
        _RUN.reset(token)


def run_under_way() -> UUID | None:
    """Return the run that the calling handler works for; `None` elsewhere."""
    run_id = _RUN.get()
    return None if run_id is None else UUID(run_id)
