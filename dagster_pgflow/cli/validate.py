"""`dagster-pgflow validate`: say all that is wrong with files, and change nothing."""

from collections.abc import Sequence
from pathlib import Path

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
from dagster_pgflow.store.loading import Finding


@command_with_examples(
    "validate",
    "validate flows/*",
    "validate --strict --json order.yaml",
    "validate - < order.yaml",
)
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@strict_option
@as_json
def command(files: tuple[Path, ...], *, strict: bool, wants_json: bool) -> None:
    """Say all that is wrong with files.

    The files are those that `load` takes, - included; nothing is stored. A database is only asked
    when a file is SQL, which is run and undone, or when a flow contains one that is in no file.

    Warnings are what is allowed and most likely not meant. Exit code 1 means that there are
    problems.
    """
    sources, findings = read_sources(files)
    loading = tried(sources, strict=strict)
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
