"""`dagster-pgflow sql`: ask the database, for those who have no psql at hand."""

import json
import sys
from typing import Any

import click

from dagster_pgflow.cli.command import command_with_examples
from dagster_pgflow.cli.console import as_json, console, new_table, print_json
from dagster_pgflow.cli.opened_store import opened_store
from dagster_pgflow.store.database import Answer

WIDEST_VALUE = 200


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

    The embedded PostgreSQL has no port, so this is the shortest way in. `-` reads the statement
    from standard input; all of it is one transaction.
    """
    text = sys.stdin.read() if statement == "-" else statement
    with opened_store() as database, database.transaction() as transaction:
        answer = transaction.answer(text)
    if wants_json:
        print_json([dict(zip(answer.columns, row, strict=True)) for row in answer.rows])
        return
    print_answer(answer)


def print_answer(answer: Answer) -> None:
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
        case dict() | list():
            text = json.dumps(value, ensure_ascii=False, default=str)
        case _:
            text = str(value)
    return text if len(text) <= WIDEST_VALUE else f"{text[: WIDEST_VALUE - 1]}…"
