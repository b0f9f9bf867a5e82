"""Signals end the demo in an orderly way, and only once."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(BaseException):
    """Somebody wants the demo to end; no handler of errors may swallow that."""


def be_deaf() -> None:
    """Ignore signals that ask for an end, because the end is under way."""
    for number in ENDING:
        signal.signal(number, signal.SIG_IGN)


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Raise `Interrupted` on the first signal that asks for an end, and be deaf to later ones.

    Ctrl-C in a terminal reaches everything at once, and `make` passes it on again: what is left
    to do after the first must not be cut short by the second.
    """
    before = {number: signal.getsignal(number) for number in ENDING}

    def end(_number: int, _frame: FrameType | None) -> None:
        be_deaf()
        raise Interrupted

    for number, handler in before.items():
        # `nohup` had the hangup ignored, so that the demo outlives its terminal.
        if number != signal.SIGHUP or handler != signal.SIG_IGN:
            signal.signal(number, end)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
