"""A flow input as people give it on the command line."""

import sys
from pathlib import Path
from typing import Any

import click

from dagster_pgflow.dsl.plain_text import read_json
from dagster_pgflow.dsl.unreadable import Unreadable


def read_input(ctx: click.Context, param: click.Parameter, text: str) -> Any:
    """Return the JSON value that an option stands for.

    Args:
        ctx: The command.
        param: The option.
        text: JSON, `@file` for the JSON in a file, or `-` for standard input.
    """
    origin = "the text"
    try:
        if text == "-":
            text, origin = sys.stdin.read(), "standard input"
        elif text.startswith("@"):
            text, origin = Path(text[1:]).read_text(encoding="utf-8-sig"), text[1:]
        return read_json(text)
    except (OSError, UnicodeDecodeError) as error:
        raise click.BadParameter(f"{text[1:]} cannot be read: {error}", ctx, param) from error
    except Unreadable as reason:
        message = f"{origin}, {reason.place}: {reason}"
        raise click.BadParameter(message, ctx, param) from reason
