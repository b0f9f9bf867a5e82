"""Brings a database to the schema of another one, and writes down how.

Each statement is run as soon as it is found, so a migration holds nothing that was not tried, and
the next question is asked to the database as it is then.
"""

import difflib
import re
from collections.abc import Callable, Iterator
from typing import Any

import psycopg2

from dagster_pgflow.store.schema_changes.dump import ObjectKey, Objects, dumped_objects
from dagster_pgflow.store.schema_changes.marks import RESOLVE
from dagster_pgflow.store.schema_changes.tables import read_table, table_changes

MADE_AGAIN = ("CONSTRAINT", "FK CONSTRAINT", "INDEX", "POLICY", "TRIGGER")
"""What holds no rows, and is dropped and made again when it has changed."""

REPLACED = ("FUNCTION", "VIEW")
"""What can be replaced, unless its parameters or columns have changed."""


class Derivation:
    """How one database came to the schema of another one.

    Args:
        url: A database with the old schema and without rows; it is changed.
        target: The objects of the new schema.
    """

    def __init__(self, url: str, target: Objects) -> None:
        self._url = url
        self._target = target
        self._connection = psycopg2.connect(url)
        self._connection.autocommit = True
        self._run("set check_function_bodies to off")
        self.statements: list[str] = []

    def derive(self) -> None:
        """Run and note what can be derived; what cannot is noted as lines to resolve."""
        self._drop()
        self._make_and_change()
        self._note_rest()
        self._connection.close()

    def _drop(self) -> None:
        """Drop what is gone, and what can only be made again, with all that depends on it."""
        there = dumped_objects(self._url)
        for key in reversed(list(there)):
            if not self._must_go(key, there[key]):
                continue
            before = dumped_objects(self._url)
            if key not in before:
                continue  # It went with something that it depended on.
            # The migration has no `cascade`: it would take views of the user along.
            self._run(drop_statement(key).replace(";", " cascade;"))
            self.statements.extend(_drops(before, dumped_objects(self._url)))

    def _must_go(self, key: ObjectKey, sql: str) -> bool:
        wanted = self._target.get(key)
        if key.type in MADE_AGAIN:
            return sql != wanted
        if key.type in REPLACED and sql != wanted:
            return wanted is None or not self._can_run(_replacing(wanted))
        return False

    def _make_and_change(self) -> None:
        there = dumped_objects(self._url)
        for key, wanted in self._target.items():
            for statement in _statements_for(key, there.get(key), wanted):
                self._try(statement)
        for key in there:
            if key not in self._target:
                for statement in _statements_without(key, there[key]):
                    self._try(statement)

    def _note_rest(self) -> None:
        there = dumped_objects(self._url)
        for key in dict.fromkeys((*there, *self._target)):
            old, new = (objects.get(key, "").splitlines() for objects in (there, self._target))
            if old != new:
                lines = list(difflib.unified_diff(old, new, n=0, lineterm=""))[2:]
                changes = "".join(f"\n--   {line}" for line in lines if line[:2] != "@@")
                self.statements.append(
                    f"{RESOLVE} {key.type.lower()} {key.name}, from - to +:{changes}"
                )

    def _try(self, statement: str) -> None:
        """Run a statement and note it; one that fails leaves a difference that is noted later."""
        if statement.startswith(RESOLVE) or self._can_run(statement, self._connection.commit):
            self.statements.append(statement)

    def _can_run(self, statement: str, then: Callable[[], Any] | None = None) -> bool:
        self._connection.autocommit = False
        try:
            self._run(statement)
            (then or self._connection.rollback)()
        except psycopg2.Error:
            self._connection.rollback()
            return False
        finally:
            self._connection.autocommit = True
        return True

    def _run(self, statement: str) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute(statement)


def drop_statement(key: ObjectKey) -> str:
    """Return what drops an object that holds no rows."""
    if key.type in REPLACED or key.type == "INDEX":
        return f"drop {key.type.lower()} pgflow.{key.name};"
    table, _, name = key.name.partition(" ")
    if key.type.endswith("CONSTRAINT"):
        return f"alter table pgflow.{table} drop constraint {name};"
    return f"drop {key.type.lower()} {name} on pgflow.{table};"


def _drops(before: Objects, after: Objects) -> Iterator[str]:
    """Yield what leads from the one to the other, what depends on something before that."""
    for key in before:
        if key.type == "TABLE" and before[key] != after.get(key):
            yield from table_changes(read_table(before[key]), read_table(after[key]))
    for key in reversed(list(before)):
        if key not in after and key.type in (*MADE_AGAIN, *REPLACED):
            yield drop_statement(key)


def _statements_for(key: ObjectKey, old: str | None, new: str) -> Iterator[str]:
    if old == new:
        return
    if old is None or key.type == "COMMENT":
        yield new
    elif key.type in REPLACED:
        yield _replacing(new)
    elif key.type == "TABLE":
        yield from table_changes(read_table(old), read_table(new))
    elif key.type == "ACL":
        kind, _, name = key.name.partition(" ")
        yield f"revoke all on {kind.lower()} pgflow.{name} from public;\n{new}"


def _statements_without(key: ObjectKey, old: str) -> Iterator[str]:
    """Yield what takes back what was said of an object that is still there."""
    if key.type == "COMMENT":
        yield f"{old.partition(' IS ')[0]} is null;"
    elif key.type == "ACL":
        kind, _, name = key.name.partition(" ")
        # Everybody may execute a function unless something is said, and nothing else.
        yield (
            f"grant execute on function pgflow.{name} to public;"
            if kind == "FUNCTION"
            else f"revoke all on {kind.lower()} pgflow.{name} from public;"
        )


def _replacing(sql: str) -> str:
    return re.sub(r"\ACREATE ", "CREATE OR REPLACE ", sql)
