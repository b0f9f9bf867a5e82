"""`dagster-pgflow validate`: report every problem of files, and change nothing."""

import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType

import click

from dagster_pgflow.cli.command import command_with_examples
from dagster_pgflow.cli.console import as_json, print_json
from dagster_pgflow.cli.flow_files import (
    counted,
    read_sources,
    strict_option,
    tried,
    warning_line,
)
from dagster_pgflow.compiler.soundness import problems_of_params
from dagster_pgflow.errors import ConfigurationError
from dagster_pgflow.runtime.handlers import HandlerRegistry
from dagster_pgflow.store.loading import FileProblem, MoreProblems, no_more_problems


@command_with_examples(
    "validate",
    "validate flows/*",
    "validate --strict --json order.yaml",
    "validate --handlers shop.handlers flows/*",
    "validate - < order.yaml",
)
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--handlers",
    "modules",
    metavar="MODULE",
    multiple=True,
    help="Check params against the handlers in this module, too.",
)
@strict_option
@as_json
def command(
    files: tuple[Path, ...], *, modules: tuple[str, ...], strict: bool, wants_json: bool
) -> None:
    """Report every problem of files.

    The files are those that `load` takes, - included; nothing is stored. A database is only asked
    when a file is SQL, which is run and undone, when a flow contains one that is in no file, or
    when a cell of a manifest leads on as one that runs a flow, and no file has it.

    Params of steps are checked where their handler says what it takes: --handlers names modules of
    your code location, and packages that are installed bring theirs. Which resources there are that
    steps require, only a code location knows, when it loads.

    A warning is about what is allowed and most likely not meant. Exit code 1 means that there are
    problems.
    """
    sources, problems = read_sources(files)
    loading = tried(sources, strict=strict, more_problems=_problems_of_params(modules))
    problems += loading.problems
    if wants_json:
        documents = [_document("problem", found) for found in problems]
        print_json(documents + [_document("warning", found) for found in loading.warnings])
    else:
        for found in problems:
            click.echo(f"{found.source}: {found.problem}")
        for found in loading.warnings:
            click.echo(warning_line(found))
        click.echo(_verdict(problems, loading.warnings, files))
    if problems:
        raise click.exceptions.Exit(1)


def _problems_of_params(modules: Sequence[str]) -> MoreProblems:
    """Return what looks at params as a code location with these handlers would."""
    if not modules:
        return no_more_problems
    handlers = HandlerRegistry.collect(map(_module, modules))
    return lambda flow: problems_of_params(flow, handlers)


def _module(name: str) -> ModuleType:
    folder = str(Path.cwd())
    if folder not in sys.path:
        # As Python itself does for `python -m`.
        sys.path.insert(0, folder)
    try:
        return import_module(name)
    except ImportError as error:
        raise ConfigurationError(f'The module "{name}" cannot be imported: {error}.') from error
    except Exception as error:
        reason = f"it raised {type(error).__name__}: {error}".rstrip(": ")
        raise ConfigurationError(f'The module "{name}" cannot be imported: {reason}.') from error


def _document(severity: str, found: FileProblem) -> dict[str, str]:
    problem = found.problem
    return {
        "severity": severity,
        "file": found.source,
        "code": problem.code,
        "path": problem.path,
        "message": problem.message,
    }


def _verdict(
    problems: Sequence[FileProblem], warnings: Sequence[FileProblem], files: Sequence[Path]
) -> str:
    wrong = counted(len(problems), "problem") if problems else "No problems"
    more = f" and {counted(len(warnings), 'warning')}" if warnings else ""
    return f"{wrong}{more} in {counted(len(files), 'file')}."
