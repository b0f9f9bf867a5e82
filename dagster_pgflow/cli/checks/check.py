"""The result of looking at one thing."""

from dataclasses import dataclass
from typing import Literal

CheckState = Literal["ok", "warning", "failed", "skipped"]


@dataclass(frozen=True)
class Check:
    """What was found.

    Attributes:
        name: What was looked at.
        state: `failed` means that some run fails or does not begin, `warning` that somebody should
            look.
        says: One sentence; for trouble it says what to do.
    """

    name: str
    state: CheckState
    says: str


def ok(name: str, says: str) -> Check:
    """All is well."""
    return Check(name, "ok", says)


def warning(name: str, says: str) -> Check:
    """Somebody should look."""
    return Check(name, "warning", says)


def failed(name: str, says: str) -> Check:
    """Some run fails, or does not begin."""
    return Check(name, "failed", says)


def skipped(name: str, says: str) -> Check:
    """It could not be looked at."""
    return Check(name, "skipped", says)
