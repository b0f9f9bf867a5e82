"""Errors for programs: with `--json`, whatever goes wrong is one JSON object on standard output."""

import re
from typing import IO, Any, Final

import click

from dagster_pgflow.cli.console import print_json
from dagster_pgflow.cli.flow_files import ProblemsInFiles, problem_document
from dagster_pgflow.errors import InvalidFlow, PgflowError, StoreRefused, in_short_words
from dagster_pgflow.store.loading import FileProblem

WRONG_USAGE: Final = "wrong-usage"
UNEXPECTED: Final = "unexpected-error"

_WORDS: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")


class ErrorInJson(click.ClickException):
    """An error that shows as `{"error": {"code", "message", "problems"}}`."""

    def __init__(self, error: click.ClickException) -> None:
        super().__init__(error.format_message())
        self.exit_code = error.exit_code  # type: ignore[misc]
        self._document = {
            "code": _code_of(error),
            "message": in_short_words(error.format_message()),
            "problems": _problems_of(error),
        }

    def show(self, file: IO[Any] | None = None) -> None:
        """Print it on standard output, where programs read."""
        del file
        print_json({"error": self._document})


def _code_of(error: click.ClickException) -> str:
    """Return the code of what went wrong: that of the refusal, else the name of the error."""
    cause = error.__cause__
    match cause:
        case StoreRefused(code=str(code)):
            return code
        case PgflowError() | OSError():
            return _WORDS.sub("-", type(cause).__name__).lower()
        case Exception():
            return UNEXPECTED
    match error:
        case click.UsageError():
            return WRONG_USAGE
        case ProblemsInFiles():
            return "invalid-flow"
        case _:
            return "failed"


def _problems_of(error: click.ClickException) -> list[dict[str, Any]]:
    match error, error.__cause__:
        case ProblemsInFiles(problems=problems), _:
            return [problem_document("problem", found) for found in problems]
        case _, InvalidFlow(flow_slug=slug, problems=problems):
            return [problem_document("problem", FileProblem(slug, found)) for found in problems]
        case _:
            return []
