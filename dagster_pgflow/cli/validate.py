"""`dagster-pgflow validate`: say all that is wrong with files, and change nothing."""

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
from dagster_pgflow.store.loading import Finding, MoreProblems, no_more_problems


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
    help="Also ask the handlers in it which params they take.",
)
@strict_option
@as_json
def command(
    files: tuple[Path, ...], *, modules: tuple[str, ...], strict: bool, wants_json: bool
) -> None:
    """Say all that is wrong with files.

    The files are those that `load` takes, - included; nothing is stored. A database is only asked
    when a file is SQL, which is run and undone, or when a flow contains one that is in no file.

    Params of steps are checked where their handler says what it takes: --handlers names modules of
    your code location, and packages that are installed bring theirs.

    Warnings are what is allowed and most likely not meant. Exit code 1 means that there are
    problems.
    """
    sources, findings = read_sources(files)
    loading = tried(sources, strict=strict, more_problems=_problems_of_params(modules))
    findings += loading.findings
    if wants_json:
        problems = [_document("problem", finding) for finding in findings]
        print_json(problems + [_document("warning", finding) for finding in loading.warnings])
    else:
        for finding in findings:
            click.echo(f"{finding.source}: {finding.problem}")
        for finding in loading.warnings:
            click.echo(warning_line(finding))
        click.echo(_verdict(findings, loading.warnings, files))
    if findings:
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


def _document(severity: str, finding: Finding) -> dict[str, str]:
    problem = finding.problem
    return {
        "severity": severity,
        "file": finding.source,
        "code": problem.code,
        "path": problem.path,
        "message": problem.message,
    }


def _verdict(
    findings: Sequence[Finding], warnings: Sequence[Finding], files: Sequence[Path]
) -> str:
    told = counted(len(findings), "problem") if findings else "No problems"
    more = f" and {counted(len(warnings), 'warning')}" if warnings else ""
    return f"{told}{more} in {counted(len(files), 'file')}."
