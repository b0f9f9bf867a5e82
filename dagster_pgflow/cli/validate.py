"""`dagster-pgflow validate`: report every problem of files, and change nothing."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from dagster_pgflow.cli.command import command_with_examples
from dagster_pgflow.cli.console import as_json, print_json
from dagster_pgflow.cli.flow_files import (
    counted,
    problem_document,
    read_sources,
    strict_option,
    tried,
    warning_line,
)
from dagster_pgflow.cli.handler_modules import handlers_of
from dagster_pgflow.compiler.registered import problems_of_handlers
from dagster_pgflow.compiler.soundness import problems_of_params
from dagster_pgflow.errors import Problem
from dagster_pgflow.model.flow import Flow
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
    help="A module with handlers: each step must have one, and params that it takes.",
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

    --handlers names modules of your code location; packages that are installed bring theirs. With
    it, a step whose handler none of them has is a problem, and params are checked where a handler
    says what it takes. Which resources there are that
    steps require, only a code location knows, when it loads.

    A warning is about what is allowed and most likely not meant. Exit code 1 means that there are
    problems.
    """
    sources, problems = read_sources(files)
    loading = tried(sources, strict=strict, more_problems=_problems_of_handlers(modules))
    problems += loading.problems
    if wants_json:
        documents = [problem_document("problem", found) for found in problems]
        print_json(documents + [problem_document("warning", found) for found in loading.warnings])
    else:
        for found in problems:
            click.echo(f"{found.source}: {found.problem}")
        for found in loading.warnings:
            click.echo(warning_line(found))
        click.echo(_verdict(problems, loading.warnings, files))
    if problems:
        raise click.exceptions.Exit(1)


def _problems_of_handlers(modules: Sequence[str]) -> MoreProblems:
    """Return what looks at handlers and params as a code location with these handlers would."""
    if not modules:
        return no_more_problems
    handlers = handlers_of(modules)

    def problems_of(flow: Flow) -> Iterator[Problem]:
        yield from problems_of_handlers(flow, handlers)
        yield from problems_of_params(flow, handlers)

    return problems_of


def _verdict(
    problems: Sequence[FileProblem], warnings: Sequence[FileProblem], files: Sequence[Path]
) -> str:
    wrong = counted(len(problems), "problem") if problems else "No problems"
    more = f" and {counted(len(warnings), 'warning')}" if warnings else ""
    return f"{wrong}{more} in {counted(len(files), 'file')}."
