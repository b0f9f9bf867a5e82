"""The files that `load` and `validate` take, as sources for the store."""

from collections.abc import Sequence
from pathlib import Path

import click

from dagster_pgflow.cli.console import aside
from dagster_pgflow.cli.opened_store import opened_store
from dagster_pgflow.dsl.document import SUFFIXES, read_flow_file, read_standard_input
from dagster_pgflow.dsl.reading.files import text_of_file
from dagster_pgflow.dsl.reading.unreadable import Unreadable
from dagster_pgflow.errors import ConfigurationError, Problem
from dagster_pgflow.model.step import SubflowStep
from dagster_pgflow.store.loading import (
    Finding,
    Loading,
    MoreProblems,
    Source,
    check,
    load,
    no_more_problems,
)

SQL_SUFFIX = ".sql"
STANDARD_INPUT = Path("-")
STANDARD_INPUT_NAME = "standard input"

strict_option = click.option("--strict", is_flag=True, help="Warnings are problems.")
"""The option of the commands that have warnings."""


def read_sources(paths: Sequence[Path]) -> tuple[list[Source], list[Finding]]:
    """Read files; return what they hold, and what could not be read.

    Args:
        paths: Flow files and SQL scripts; `-` is JSON or YAML from standard input.

    Raises:
        ConfigurationError: A file cannot be opened, or is of another kind.
        UsageError: Standard input is to be read twice.
    """
    if list(paths).count(STANDARD_INPUT) > 1:
        raise click.UsageError("Standard input can be read once only; name - once.")
    sources: list[Source] = []
    findings: list[Finding] = []
    for path in paths:
        source, problems = _read(path)
        sources.append(source)
        findings += [Finding(source.name, problem) for problem in problems]
    return sources, findings


def needs_store(sources: Sequence[Source]) -> bool:
    """Say whether only a database can tell if the sources are sound."""
    flows = {flow.slug: flow for source in sources for flow in source.flows}
    return any(source.sql is not None for source in sources) or any(
        isinstance(step, SubflowStep) and step.flow not in flows
        for flow in flows.values()
        for step in flow.steps
    )


def tried(
    sources: Sequence[Source],
    *,
    strict: bool = False,
    more_problems: MoreProblems = no_more_problems,
) -> Loading:
    """Find all that is wrong with sources; a database is only asked if need be."""
    if not needs_store(sources):
        return check(sources, strict=strict, more_problems=more_problems)
    with opened_store() as database:
        return load(database, sources, keep=False, strict=strict, more_problems=more_problems)


def refuse(findings: Sequence[Finding]) -> None:
    """Print every problem, and end with exit code 1, when there are any."""
    if not findings:
        return
    for finding in findings:
        aside(f"{finding.source}: {finding.problem}")
    raise click.ClickException(f"{counted(len(findings), 'problem')}; nothing was changed.")


def warning_line(finding: Finding) -> str:
    """Return a warning as a line."""
    return f"{finding.source}: warning: {finding.problem}"


def counted(count: int, noun: str) -> str:
    """Return how many there are of something, in words."""
    return f"1 {noun}" if count == 1 else f"{count} {noun}s"


def _read(path: Path) -> tuple[Source, tuple[Problem, ...]]:
    if path == STANDARD_INPUT:
        given = read_standard_input(STANDARD_INPUT_NAME)
        return Source(STANDARD_INPUT_NAME, flows=given.flows), given.problems
    suffix = path.suffix.lower()
    if suffix not in (*SUFFIXES, SQL_SUFFIX):
        raise ConfigurationError(
            f"{path} is no flow file; its name must end in one of:"
            f" {', '.join((*SUFFIXES, SQL_SUFFIX))}."
        )
    if suffix != SQL_SUFFIX:
        file = read_flow_file(path)
        return Source(str(path), flows=file.flows), file.problems
    try:
        return Source(str(path), sql=text_of_file(path)), ()
    except Unreadable as reason:
        return Source(str(path)), (Problem("unreadable-file", reason.place, str(reason)),)
