"""What every command has: a name, a help text and examples."""

from collections.abc import Callable
from math import isnan
from typing import Any, Final

import click

CONTEXT_SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
"""Each command has them itself: click keeps the help option that it made first."""

LONGEST_WAIT_S: Final = 10**8
"""Three years: longer waits are meant to be without end, which is what leaving it out says."""

KEEP_LINES = "\b"
"""Tells click to leave the lines of a paragraph as they are."""


class Seconds(click.FloatRange):
    """A length of time that comes to an end: not what a float may be besides, `inf` and `nan`."""

    def __init__(self) -> None:
        super().__init__(min=0, max=LONGEST_WAIT_S)

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return it as a number."""
        seconds = float(super().convert(value, param, ctx))
        if isnan(seconds):
            self.fail(f"{value} is not a number of seconds.", param, ctx)
        return seconds


def command_with_examples(
    name: str, *examples: str
) -> Callable[[Callable[..., Any]], click.Command]:
    """Make a function a command whose help ends in examples.

    Args:
        *examples: Command lines, without the program's name.
    """
    lines = [f"  dagster-pgflow {example}" for example in examples]
    heading = "Examples:" if len(lines) > 1 else "Example:"
    return click.command(
        name,
        epilog="\n".join([KEEP_LINES, heading, *lines]),
        context_settings=CONTEXT_SETTINGS,
    )
