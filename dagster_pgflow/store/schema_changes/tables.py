"""How a table becomes another one without losing a row."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from dagster_pgflow.store.schema_changes.marks import RESOLVE

BODY = re.compile(r"\ACREATE TABLE (?P<table>\S+) \(\n(?P<items>.*)\n\)", re.DOTALL)
COLUMN = re.compile(
    r"\A(?P<type>.+?)(?: (?P<default>DEFAULT .+?))?(?P<not_null> NOT NULL)?\Z", re.DOTALL
)


@dataclass(frozen=True)
class Table:
    """What `create table` says in its parentheses.

    Attributes:
        name: With its schema.
        columns: Type, default and the like, by name.
        constraints: Those that PostgreSQL writes here, by name: the checks.
    """

    name: str
    columns: dict[str, str]
    constraints: dict[str, str]


def read_table(sql: str) -> Table:
    """Read the `create table` of a dump."""
    found = BODY.search(sql)
    if found is None:
        raise ValueError(f"this is no create table of a dump: {sql}")
    table = Table(found["table"], {}, {})
    for item in _items(found["items"]):
        if item.startswith("CONSTRAINT "):
            _, name, definition = item.split(" ", 2)
            table.constraints[name] = definition
        else:
            name, definition = item.split(" ", 1)
            table.columns[name] = definition
    return table


def table_changes(before: Table, after: Table) -> Iterator[str]:
    """Yield the statements that change the one into the other, as far as no row is lost.

    Columns that are gone or have another type are left as they are.
    """
    alter = f"alter table {after.name}"
    for name, definition in before.constraints.items():
        if after.constraints.get(name) != definition:
            yield f"{alter} drop constraint {name};"
    for name, definition in after.columns.items():
        if name not in before.columns:
            if " NOT NULL" in definition and not re.search("DEFAULT|GENERATED", definition):
                yield f"{RESOLVE} which value has {name} in rows that are there?"
            yield f"{alter} add column {name} {definition};"
        elif before.columns[name] != definition:
            yield from _column_changes(alter, name, before.columns[name], definition)
    for name, definition in after.constraints.items():
        if before.constraints.get(name) != definition:
            yield f"{alter} add constraint {name} {definition};"


def _column_changes(alter: str, name: str, before: str, after: str) -> Iterator[str]:
    old, new = COLUMN.fullmatch(before), COLUMN.fullmatch(after)
    if old is None or new is None or old["type"] != new["type"]:
        return
    column = f"{alter} alter column {name}"
    if old["default"] != new["default"]:
        yield f"{column} set {new['default']};" if new["default"] else f"{column} drop default;"
    if new["not_null"] and not old["not_null"]:
        yield f"{RESOLVE} which value has {name} in rows where it is null?"
        yield f"{column} set not null;"
    elif old["not_null"] and not new["not_null"]:
        yield f"{column} drop not null;"


def _items(text: str) -> Iterator[str]:
    """Split at the commas that stand in no parentheses and in no quotes."""
    depth, quote, start = 0, "", 0
    for place, letter in enumerate(text):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "'\"":
            quote = letter
        elif letter in "()[]":
            depth += 1 if letter in "([" else -1
        elif letter == "," and depth == 0:
            yield text[start:place].strip()
            start = place + 1
    yield text[start:].strip()
