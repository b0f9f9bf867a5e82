"""The group of all commands, and the one place where errors become sentences and exit codes."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from io import TextIOWrapper
from typing import Any, Self

import click

from dagster_pgflow.cli.command import CONTEXT_SETTINGS
from dagster_pgflow.errors import PgflowError, in_short_words, may_be_meant
from dagster_pgflow.version import __version__

COMMANDS = (
    "demo",
    "init",
    "migrate",
    "load",
    "validate",
    "handlers",
    "list",
    "show",
    "triggers",
    "versions",
    "diff",
    "paths",
    "brief",
    "test",
    "infer-schemas",
    "export",
    "delete",
    "start",
    "live",
    "status",
    "waiting",
    "answer",
    "signal",
    "cancel",
    "retry",
    "sql",
    "address",
    "doctor",
    "rebuild",
    "prune",
    "schema",
)
"""Each is a module of this package; the order is that of the help."""

HELP = """Flows that live in Postgres and run in Dagster.

The database is PGFLOW_DATABASE_URL; without it, an embedded PostgreSQL in PGFLOW_DATA_DIR or in
your user data folder, which is started when it is needed.

\b
Examples:
  dagster-pgflow demo                          see all of it at work
  dagster-pgflow migrate                       make the schema
  dagster-pgflow load flows/*.yaml             store flows
  dagster-pgflow start order --input @order.json --wait
  dagster-pgflow status 3f2a                   how a run is doing
"""


class CommandGroup(click.Group):
    """Loads a command when it is called, so that `list` does not wait for Dagster's import."""

    @classmethod
    def of_this_package(cls) -> Self:
        """Return the group with every command of this package."""
        group = cls(
            "dagster-pgflow",
            help=HELP,
            context_settings=CONTEXT_SETTINGS,
        )
        group.params += [
            click.Option(
                ["--traceback"], is_flag=True, help="Show where an unexpected error came from."
            )
        ]
        return click.version_option(__version__, prog_name="dagster-pgflow")(group)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands, in the order of the help."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, loading its module."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(
            f"dagster_pgflow.cli.{cmd_name.replace('-', '_')}"
        ).command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or say which one may be meant."""
        name = args[0]
        if name not in COMMANDS and not ctx.resilient_parsing and not name.startswith("-"):
            ctx.fail(
                f'There is no command "{name}"{may_be_meant(name, COMMANDS)};'
                " `dagster-pgflow --help` lists them."
            )
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; an error becomes one sentence, or JSON, and an exit code."""
        wants_traceback = ctx.params.pop("traceback", False)
        wants_json = _asks_for_json(ctx.args)
        if sys.stdout is None:
            raise click.ClickException("Standard output is closed.")
        if isinstance(sys.stdout, TextIOWrapper):
            # A name of a file may hold bytes that are no text, and a terminal know few letters.
            sys.stdout.reconfigure(errors="backslashreplace")
        try:
            with _in_words(wants_traceback=wants_traceback):
                return super().invoke(ctx)
        except click.ClickException as error:
            if not wants_json:
                raise
            raise _in_json(error) from error


def _asks_for_json(arguments: Sequence[str]) -> bool:
    options = arguments[: arguments.index("--")] if "--" in arguments else arguments
    return "--json" in options


def _in_json(error: click.ClickException) -> click.ClickException:
    from dagster_pgflow.cli.error_in_json import ErrorInJson  # noqa: PLC0415  few need it

    return ErrorInJson(error)


@contextmanager
def _in_words(*, wants_traceback: bool) -> Iterator[None]:
    """Say whatever goes wrong in one sentence.

    Raises:
        ClickException: It went wrong.
    """
    try:
        yield
    except PgflowError as error:
        raise click.ClickException(in_short_words(str(error))) from error
    except click.ClickException as error:
        error.message = in_short_words(error.message)  # type: ignore[misc]
        raise
    except (click.Abort, click.exceptions.Exit):
        raise
    except Exception as error:
        if wants_traceback or isinstance(error, BrokenPipeError):
            raise
        if isinstance(error, OSError):
            raise click.ClickException(f"The operating system refused: {error}.") from error
        raise click.ClickException(
            f"Unexpected error, {type(error).__name__}: {error};"
            " `dagster-pgflow --traceback ...` shows where it was raised."
        ) from error
