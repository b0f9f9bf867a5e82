"""A flow input as people give it on the command line."""

from pathlib import Path
from typing import Any, Final

import click

from dagster_pgflow.dsl.reading.files import text_of_file, text_of_standard_input
from dagster_pgflow.dsl.reading.json_text import read_json
from dagster_pgflow.dsl.reading.unreadable import Unreadable
from dagster_pgflow.errors import ConfigurationError
from dagster_pgflow.model.defaults import UNASKED

MOST_BYTES: Final = 100_000_000
"""Of an input: what Dagster's processes can send each other at once."""


def read_input(ctx: click.Context, param: click.Parameter, text: str | None) -> Any:
    """Return the JSON value that an option stands for.

    Args:
        text: JSON, `@file` for the JSON in a file, `-` for standard input; nothing when it is not
            there.
    """
    if text is None:
        return UNASKED
    origin = "the text"
    try:
        if text == "-":
            origin = "standard input"
            text = text_of_standard_input(MOST_BYTES)
        elif text.startswith("@"):
            origin = text[1:]
            text = text_of_file(Path(origin), MOST_BYTES)
        return read_json(text, is_counted=False)
    except ConfigurationError as error:
        raise click.BadParameter(str(error), ctx, param) from error
    except Unreadable as reason:
        message = f"{origin}, {reason.place}: {reason}"
        raise click.BadParameter(message, ctx, param) from reason
