"""The files that `load` and `validate` take, as sources for the store."""

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import IO, Any, Literal

import click

from dagster_pgflow.cli.console import aside
from dagster_pgflow.cli.opened_store import opened_store
from dagster_pgflow.dsl.document import (
    SUFFIXES,
    WrittenFile,
    written_file,
    written_standard_input,
)
from dagster_pgflow.dsl.manifest_text import WrittenManifest
from dagster_pgflow.dsl.reading.files import text_of_file
from dagster_pgflow.dsl.reading.unreadable import Unreadable
from dagster_pgflow.errors import ConfigurationError, Problem
from dagster_pgflow.model.steps import SubflowStep
from dagster_pgflow.store.flows import FlowBuilder
from dagster_pgflow.store.loading import (
    FileProblem,
    FlowSource,
    Loading,
    MoreProblems,
    check,
    load,
    no_more_problems,
)

SQL_SUFFIX = ".sql"
STANDARD_INPUT = Path("-")
STANDARD_INPUT_NAME = "standard input"

strict_option = click.option("--strict", is_flag=True, help="Treat warnings as problems.")
"""The option of the commands that have warnings."""


FlowsElsewhere = Callable[[Sequence[WrittenManifest], Collection[str]], Collection[str]]
"""Returns the flows of the store that cells of manifests may run, given those of the files."""


def where_it_matters(
    manifests: Sequence[WrittenManifest], flows: Collection[str]
) -> Collection[str]:
    """Ask the store for its flows only if a manifest is not sound without one of them."""
    return stored_slugs() if any(one.hangs_on_flows(flows) for one in manifests) else ()


def for_every_manifest(
    manifests: Sequence[WrittenManifest], _flows: Collection[str]
) -> Collection[str]:
    """Ask the store for its flows if there is a manifest."""
    return stored_slugs() if manifests else ()


def stored_slugs() -> Collection[str]:
    """Return the slugs of the flows that are stored."""
    with opened_store() as database:
        return frozenset(flow.slug for flow in FlowBuilder(database).list_flows())


def read_sources(
    paths: Sequence[Path], elsewhere: FlowsElsewhere = where_it_matters
) -> tuple[list[FlowSource], list[FileProblem]]:
    """Read files; return what they hold, and what could not be read.

    Args:
        paths: Flow files and SQL scripts; `-` is JSON, YAML or EDN from standard input.
        elsewhere: Finds the flows that are in no file and that cells of manifests may run.

    Raises:
        ConfigurationError: A file cannot be opened, or is of another kind.
        UsageError: Standard input is to be read twice.
    """
    if list(paths).count(STANDARD_INPUT) > 1:
        raise click.UsageError("Standard input can be read once only; name - once.")
    sources: list[FlowSource] = []
    problems: list[FileProblem] = []
    written = [_written(path) for path in paths]
    files = [file for _, file in written if isinstance(file, WrittenFile)]
    slugs = frozenset(slug for file in files for slug in file.slugs)
    flows = slugs.union(elsewhere([one for file in files for one in file.manifests], slugs))
    for name, file in written:
        source, found = _source(name, file, flows)
        sources.append(source)
        problems += [FileProblem(name, problem) for problem in found]
    return sources, problems


def needs_store(sources: Sequence[FlowSource]) -> bool:
    """Return whether only a database can say whether the sources are sound."""
    flows = {flow.slug: flow for source in sources for flow in source.flows}
    return any(source.sql is not None for source in sources) or any(
        isinstance(step, SubflowStep) and step.flow not in flows
        for flow in flows.values()
        for step in flow.steps
    )


def tried(
    sources: Sequence[FlowSource],
    *,
    strict: bool = False,
    more_problems: MoreProblems = no_more_problems,
) -> Loading:
    """Find all that is wrong with sources; a database is only asked if need be."""
    if not needs_store(sources):
        return check(sources, strict=strict, more_problems=more_problems)
    with opened_store() as database:
        return load(database, sources, keep=False, strict=strict, more_problems=more_problems)


class ProblemsInFiles(click.ClickException):
    """What files say is not sound, and nothing was changed.

    Attributes:
        problems: All of them.
    """

    def __init__(self, problems: Sequence[FileProblem]) -> None:
        self.problems = tuple(problems)
        super().__init__(f"{counted(len(problems), 'problem')}; nothing was changed.")

    def show(self, file: IO[Any] | None = None) -> None:
        """Print every problem, and how many there are."""
        for found in self.problems:
            aside(f"{found.source}: {found.problem}")
        super().show(file)


def refuse(problems: Sequence[FileProblem]) -> None:
    """End with exit code 1, and with every problem, when there are any.

    Raises:
        ProblemsInFiles: There are some.
    """
    if problems:
        raise ProblemsInFiles(problems)


def problem_document(severity: Literal["problem", "warning"], found: FileProblem) -> dict[str, str]:
    """Return a problem, or a warning, as JSON has it."""
    problem = found.problem
    return {
        "severity": severity,
        "file": found.source,
        "code": problem.code,
        "path": problem.path,
        "message": problem.message,
    }


def warning_line(found: FileProblem) -> str:
    """Return a warning as a line."""
    return f"{found.source}: warning: {found.problem}"


def counted(count: int, noun: str) -> str:
    """Return how many there are of something, in words."""
    return f"1 {noun}" if count == 1 else f"{count} {noun}s"


def _written(path: Path) -> tuple[str, WrittenFile | None]:
    """Return what the user calls a file, and what it says; nothing where it is SQL."""
    if path == STANDARD_INPUT:
        return STANDARD_INPUT_NAME, written_standard_input(STANDARD_INPUT_NAME)
    suffix = path.suffix.lower()
    if suffix not in (*SUFFIXES, SQL_SUFFIX):
        raise ConfigurationError(
            f"{path} is not a flow file; its name must end in one of:"
            f" {', '.join((*SUFFIXES, SQL_SUFFIX))}."
        )
    return str(path), None if suffix == SQL_SUFFIX else written_file(path)


def _source(
    name: str, written: WrittenFile | None, flows: Collection[str]
) -> tuple[FlowSource, tuple[Problem, ...]]:
    if written is not None:
        file = written.read(flows)
        return FlowSource(name, flows=file.flows, warnings=file.warnings), file.problems
    try:
        return FlowSource(name, sql=text_of_file(Path(name))), ()
    except Unreadable as reason:
        return FlowSource(name), (Problem("unreadable-file", reason.place, str(reason)),)
