"""What every command has: a name, a help text and examples."""

from collections.abc import Callable
from typing import Any

import click

CONTEXT_SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
"""Each command has them itself: click keeps the help option that it made first."""

KEEP_LINES = "\b"
"""Tells click to leave the lines of a paragraph as they are."""


def command_with_examples(
    name: str, *examples: str
) -> Callable[[Callable[..., Any]], click.Command]:
    """Make a function a command whose help ends in examples.

    Args:
        name: The command's name.
        *examples: Command lines, without the program's name.
    """
    lines = [f"  dagster-pgflow {example}" for example in examples]
    heading = "Examples:" if len(lines) > 1 else "Example:"
    return click.command(
        name,
        epilog="\n".join([KEEP_LINES, heading, *lines]),
        context_settings=CONTEXT_SETTINGS,
    )
