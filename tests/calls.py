"""How many calls Python makes for some work: its cost, on any machine and however busy it is."""

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any


class TooManyCalls(BaseException):
    """The work is given up; it is no `Exception`, which somebody on the way may catch."""


def calls_of(work: Callable[[], object], at_most: int = 40_000_000) -> int:
    """Returns how many functions some work calls, those that are written in C included.

    Raises:
        AssertionError: It calls more than `at_most`; it is not gone on with then, so that work
            without an end is told too.
    """
    calls = 0

    def count(_frame: FrameType, event: str, _argument: Any) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")
        if calls > at_most:
            raise TooManyCalls

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        work()
    except TooManyCalls:
        raise AssertionError(f"It takes more than {at_most} calls.") from None
    finally:
        sys.setprofile(before)
    return calls
