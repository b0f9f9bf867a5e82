"""`dagster-pgflow validate`: say all that is wrong with files, and change nothing."""

from collections.abc import Sequence
from pathlib import Path

import click

from dagster_pgflow.cli.command import command_with_examples
from dagster_pgflow.cli.console import as_json, print_json
from dagster_pgflow.cli.flow_files import needs_store, read_sources
from dagster_pgflow.cli.opened_store import opened_store
from dagster_pgflow.store.loading import Finding, Source, check, load


@command_with_examples(
    "validate",
    "validate flows/*",
    "validate --json order.yaml",
)
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@as_json
def command(files: tuple[Path, ...], *, wants_json: bool) -> None:
    """Say all that is wrong with files.

    The files are those that `load` takes; nothing is stored. A database is only asked when a
    file is SQL, which is run and undone, or when a flow contains one that is in no file.

    Exit code 1 means that there are problems.
    """
    sources, findings = read_sources(files)
    findings += _findings(sources)
    if wants_json:
        print_json([_document(finding) for finding in findings])
    else:
        for finding in findings:
            click.echo(f"{finding.source}: {finding.problem}")
        click.echo(_verdict(findings, files))
    if findings:
        raise click.exceptions.Exit(1)


def _findings(sources: Sequence[Source]) -> list[Finding]:
    if not needs_store(sources):
        return check(sources).findings
    with opened_store() as database:
        return load(database, sources, keep=False).findings


def _document(finding: Finding) -> dict[str, str]:
    problem = finding.problem
    return {
        "file": finding.source,
        "code": problem.code,
        "path": problem.path,
        "message": problem.message,
    }


def _verdict(findings: Sequence[Finding], files: Sequence[Path]) -> str:
    where = "1 file" if len(files) == 1 else f"{len(files)} files"
    if not findings:
        return f"No problems in {where}."
    return f"{len(findings)} {'problem' if len(findings) == 1 else 'problems'} in {where}."
