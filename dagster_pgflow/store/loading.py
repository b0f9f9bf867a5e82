"""Loads flow files as one change: every problem of every file, or all of it, or nothing."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg2
from sqlalchemy.exc import DBAPIError

from dagster_pgflow.errors import InvalidFlow, Problem, StoreError
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.store.database import Database, Transaction
from dagster_pgflow.store.definition_text import flow_of_text
from dagster_pgflow.store.failures import problem_in_sql, translated
from dagster_pgflow.store.flows import replace_flow
from dagster_pgflow.store.flows_around import broken_around
from dagster_pgflow.store.refusals import known_flows
from dagster_pgflow.store.sql_text import Statement, refusal, split_statements
from dagster_pgflow.validation.lint.lint import lint
from dagster_pgflow.validation.validate import validate


@dataclass(frozen=True)
class FlowSource:
    """One file.

    Attributes:
        name: How the user calls it.
        flows: The flows that it defines.
        sql: Or the statements that it consists of.
        warnings: What was found when it was read, and somebody should look at.
    """

    name: str
    flows: tuple[Flow, ...] = ()
    sql: str | None = None
    warnings: tuple[Problem, ...] = ()


@dataclass(frozen=True)
class FlowChange:
    """What became of one flow.

    Attributes:
        source: The file.
        slug: The flow.
        version: Its version; the one that it had before when the flow is as it was.
        is_new: Whether this version is new.
        is_deleted: Whether the flow is gone.
    """

    source: str
    slug: str
    version: int
    is_new: bool = False
    is_deleted: bool = False


@dataclass(frozen=True)
class FileProblem:
    """A problem, and the file that has it."""

    source: str
    problem: Problem


MoreProblems = Callable[[Flow], Iterable[Problem]]


def no_more_problems(_flow: Flow) -> Iterable[Problem]:
    """Find nothing."""
    return ()


@dataclass
class Loading:
    """What loading came to.

    Attributes:
        changes: What became of each flow, by file and slug; nothing did when there are problems.
        problems: All that is wrong.
        warnings: What somebody should look at.
        more_problems: Finds what the rules of flows do not know of.
    """

    changes: dict[tuple[str, str], FlowChange] = field(default_factory=dict)
    problems: list[FileProblem] = field(default_factory=list)
    warnings: list[FileProblem] = field(default_factory=list)
    more_problems: MoreProblems = no_more_problems

    def count_warnings_as_problems(self) -> None:
        """Make every warning a problem."""
        self.problems += self.warnings
        self.warnings = []


class _Undo(Exception):
    """Rolls the transaction back, and carries what it had come to."""

    def __init__(self, loading: Loading) -> None:
        self.loading = loading
        super().__init__()


def check(
    sources: Sequence[FlowSource],
    *,
    strict: bool = False,
    more_problems: MoreProblems = no_more_problems,
) -> Loading:
    """Find the problems of files that hold no SQL and contain no flow but each other's.

    Args:
        strict: Whether warnings are problems.
        more_problems: Finds what the rules of flows do not know of.
    """
    loading = Loading(more_problems=more_problems)
    given = _definitions(sources, loading)
    for source in sources:
        for flow in source.flows:
            _judge(source, flow, given, loading)
    if strict:
        loading.count_warnings_as_problems()
    return loading


def load(
    database: Database,
    sources: Sequence[FlowSource],
    *,
    keep: bool = True,
    strict: bool = False,
    more_problems: MoreProblems = no_more_problems,
) -> Loading:
    """Load files in the order given, in one transaction.

    Args:
        keep: Whether to keep what was loaded; without it everything is tried and undone.
        strict: Whether warnings are problems.
        more_problems: Finds what the rules of flows do not know of.

    Raises:
        StoreError: PostgreSQL cannot be reached or the schema does not fit.
    """

    def try_to_load(transaction: Transaction) -> Loading:
        loading = Loading(more_problems=more_problems)
        given = _definitions(sources, loading)
        before = int(transaction.fetch_value("fetch_watermark"))
        for source in sources:
            watermark = transaction.fetch_value("fetch_watermark")
            if source.sql is None:
                _define(transaction, source, given, loading)
            else:
                _run_script(transaction, database, source, loading)
            _note_changes(transaction, source, watermark, loading)
        if not loading.problems:
            loading.problems += _broken_around(transaction, sources, given, before)
        if strict:
            loading.count_warnings_as_problems()
        if loading.problems or not keep:
            raise _Undo(loading)
        return loading

    try:
        # The statements of a file are somebody else's: what a second time does, nobody knows.
        return database.logging_waits().run(try_to_load, is_repeatable=False)
    except _Undo as undo:
        return undo.loading


def _definitions(sources: Sequence[FlowSource], loading: Loading) -> dict[str, Flow]:
    """Return the flows of all files by slug; one that stands twice must be the same."""
    given: dict[str, Flow] = {}
    for source in sources:
        loading.warnings += [FileProblem(source.name, found) for found in source.warnings]
        for flow in source.flows:
            if given.setdefault(flow.slug, flow) != flow:
                message = f'Another flow is called "{flow.slug}" too; give one another slug.'
                problem = Problem("duplicate-flow", flow.slug, message)
                loading.problems.append(FileProblem(source.name, problem))
    return given


def _define(
    transaction: Transaction, source: FlowSource, given: dict[str, Flow], loading: Loading
) -> None:
    known = known_flows(transaction, given)
    for flow in source.flows:
        if _judge(source, flow, known, loading):
            version = replace_flow(transaction, flow)
            loading.changes[source.name, flow.slug] = FlowChange(source.name, flow.slug, version)


def _judge(source: FlowSource, flow: Flow, known: Mapping[str, Flow], loading: Loading) -> bool:
    """Note all that is to be said about a flow; return whether it is sound."""
    problems = (*validate(flow, known), *loading.more_problems(flow))
    loading.problems += _file_problems(source, flow.slug, problems)
    loading.warnings += _file_problems(source, flow.slug, lint(flow, known))
    return not problems


def _broken_around(
    transaction: Transaction, sources: Sequence[FlowSource], given: dict[str, Flow], before: int
) -> Iterator[FileProblem]:
    """Look at stored flows that contain one of those loaded; flows that SQL made were judged."""
    names = [source.name for source in sources if source.flows]
    for slug, problem in broken_around(transaction, given, before) if names else ():
        path = f"{slug}.{problem.path}"
        yield FileProblem(names[0], Problem(problem.code, path, problem.message))


def _file_problems(
    source: FlowSource, slug: str, problems: Sequence[Problem]
) -> Iterator[FileProblem]:
    for problem in problems:
        path = f"{slug}.{problem.path}" if len(source.flows) != 1 else problem.path
        yield FileProblem(source.name, Problem(problem.code, path, problem.message))


def _run_script(
    transaction: Transaction, database: Database, source: FlowSource, loading: Loading
) -> None:
    """Run each statement, also those behind one that failed."""
    for statement in split_statements(source.sql or ""):
        problem = refusal(statement) or _run(transaction, database, statement)
        if problem is not None:
            loading.problems.append(FileProblem(source.name, problem))


def _run(transaction: Transaction, database: Database, statement: Statement) -> Problem | None:
    transaction.run_script("savepoint statement")
    try:
        transaction.run_script(statement.text)
    except DBAPIError as error:
        raised = problem_in_sql(error) or translated(error, database.address)
        if isinstance(raised, StoreError) and raised.trouble is not None:
            raise
        transaction.run_script("rollback to savepoint statement")
        line = statement.line + _lines_before(error, statement)
        return Problem("refused-statement", f"line {line}", str(raised))
    transaction.run_script("release savepoint statement")
    return None


def _lines_before(error: DBAPIError, statement: Statement) -> int:
    """Return how many lines of the statement stand before what PostgreSQL points at."""
    diagnosis: Any = error.orig.diag if isinstance(error.orig, psycopg2.Error) else None
    position = getattr(diagnosis, "statement_position", None)
    return statement.text.count("\n", 0, int(position) - 1) if position else 0


def _note_changes(
    transaction: Transaction, source: FlowSource, watermark: int, loading: Loading
) -> None:
    if loading.problems:
        return
    transaction.fetch_all("publish_touched_flows")
    for row in transaction.fetch_all("fetch_versions_after", watermark=watermark):
        slug, definition = row["flow_slug"], row["definition"]
        loading.changes[source.name, slug] = FlowChange(
            source.name, slug, row["version"], is_new=True, is_deleted=definition is None
        )
        if source.sql is not None and definition is not None:
            _judge_stored(transaction, source, slug, definition, loading)


def _judge_stored(
    transaction: Transaction, source: FlowSource, slug: str, definition: str, loading: Loading
) -> None:
    """Check a flow that SQL made: its constraints know less than the rules do."""
    try:
        flow = flow_of_text(slug, definition)
    except InvalidFlow as invalid:
        loading.problems += _file_problems(source, slug, invalid.problems)
    else:
        _judge(source, flow, known_flows(transaction, {slug: flow}), loading)
