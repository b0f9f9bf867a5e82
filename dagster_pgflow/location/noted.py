"""The code locations that a module makes while a live worker imports it.

A live worker needs what the module says about its code location, not the flows that there are at
that moment: each run brings its own. So while somebody notes, a code location reads no store.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from dagster_pgflow.location.location import NO_FLOWS, Location
from dagster_pgflow.location.settings import LocationSettings
from dagster_pgflow.taken_names import NO_NAMES, TakenNames

_noted: ContextVar[list[Location] | None] = ContextVar("noted", default=None)


@contextmanager
def locations_noted() -> Iterator[list[Location]]:
    """Note every code location that is made within the block; it stays without flows."""
    found: list[Location] = []
    token = _noted.set(found)
    try:
        yield found
    finally:
        _noted.reset(token)


def is_noting() -> bool:
    """Return whether somebody notes code locations."""
    return _noted.get() is not None


def note(settings: LocationSettings, taken: TakenNames = NO_NAMES) -> Location:
    """Make a code location without flows for whoever notes."""
    location = Location(settings, NO_FLOWS, taken)
    noted = _noted.get()
    if noted is None:
        raise LookupError("Nobody notes code locations.")
    noted.append(location)
    return location
