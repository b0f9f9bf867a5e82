"""What a Python flow file registers while it is run: flows that need no name at its top."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from dagster_pgflow.model.flow import Flow

_REGISTERED: Final[ContextVar[list[Flow] | None]] = ContextVar("registered", default=None)


@contextmanager
def registering() -> Iterator[list[Flow]]:
    """Collect what is registered meanwhile; nothing of it is kept afterwards."""
    found: list[Flow] = []
    token = _REGISTERED.set(found)
    try:
        yield found
    finally:
        _REGISTERED.reset(token)


def register(flow: Flow) -> None:
    """Hand a flow to whoever collects them; where nobody does, nothing happens."""
    found = _REGISTERED.get()
    if found is not None:
        found.append(flow)


def registered_slugs() -> frozenset[str]:
    """Return the slugs of the flows that were registered so far."""
    return frozenset(flow.slug for flow in _REGISTERED.get() or ())
