"""`dagster-pgflow sql`: ask the database, for those who have no psql at hand."""

import json
from collections.abc import Sequence
from typing import Any

import click

from dagster_pgflow.cli.command import command_with_examples
from dagster_pgflow.cli.console import as_json, console, new_table, print_json
from dagster_pgflow.cli.opened_store import opened_store
from dagster_pgflow.dsl.reading.files import text_of_standard_input
from dagster_pgflow.dsl.reading.unreadable import Unreadable
from dagster_pgflow.errors import StoreRefused
from dagster_pgflow.store.composites import Composite
from dagster_pgflow.store.database import StatementResult, Transaction
from dagster_pgflow.store.sql_text import Statement, refusal, split_statements

WIDEST_VALUE = 200
MOST_BYTES = 100_000_000
"""Of statements from standard input."""


@command_with_examples(
    "sql",
    'sql "select flow_slug, status, error_message from pgflow.runs"',
    """sql "select * from pgflow.start_flow('ai_workflow')\"""",
    "sql - < my_flow.sql",
)
@click.argument("statement")
@as_json
def command(statement: str, *, wants_json: bool) -> None:
    """Ask the database of the flows.

    This is the shortest way into the embedded PostgreSQL, for one. `-` reads the statement
    from standard input. Of several statements each answers; all of them are one transaction.
    """
    text = _standard_input() if statement == "-" else statement
    statements = list(split_statements(text))
    if not statements:
        raise click.UsageError("There is no statement.")
    with opened_store() as database, database.logging_waits().transaction() as transaction:
        answers = [_answer(transaction, one, statements) for one in statements]
    if wants_json:
        rows = [_objects(answer) for answer in answers]
        print_json(rows[0] if len(rows) == 1 else rows)
        return
    for answer in answers:
        print_result(answer)


def _standard_input() -> str:
    try:
        return text_of_standard_input(MOST_BYTES)
    except Unreadable as reason:
        raise StoreRefused(str(reason)) from reason


def _answer(
    transaction: Transaction, one: Statement, among: Sequence[Statement]
) -> StatementResult:
    problem = refusal(one)
    if problem is not None:
        raise StoreRefused(f"{problem.path}: {problem.message}")
    try:
        return transaction.answer(one.text)
    except StoreRefused as error:
        place = f"line {one.line}: " if len(among) > 1 else ""
        raise StoreRefused(f"{place}{error}") from error


def _objects(answer: StatementResult) -> list[dict[str, Any]]:
    return [dict(zip(answer.columns, row, strict=True)) for row in answer.rows]


def print_result(answer: StatementResult) -> None:
    """Print what a statement says, as psql does."""
    if answer.columns:
        table = new_table(*answer.columns)
        for row in answer.rows:
            table.add_row(*(_cell(value) for value in row))
        console().print(table)
    click.echo("(1 row)" if answer.count == 1 else f"({answer.count} rows)")


def _cell(value: Any) -> str:
    match value:
        case None:
            return ""
        case Composite():
            fields = ((name, _cell(field)) for name, field in value.items())
            return "\n".join(f"{name}: {field}" for name, field in fields if field)
        case dict() | list():
            text = json.dumps(value, ensure_ascii=False, default=str)
        case _:
            text = str(value)
    return text if len(text) <= WIDEST_VALUE else f"{text[: WIDEST_VALUE - 1]}…"
