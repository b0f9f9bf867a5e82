"""What is in Dagster's tables, without what differs from one time to the next."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.postgres import Session

TABLES = """
    select table_name
    from information_schema.tables
    where table_schema = 'public'
    order by table_name
"""
COLUMNS = """
    select column_name
    from information_schema.columns
    where table_schema = 'public'
      and table_name = %s
      and data_type not like 'timestamp%%'
      and column_name not in ('start_time', 'end_time')
    order by column_name
"""
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
NOISE = [
    (re.compile(r"\b(\d+m)?\d+(\.\d+)?m?s\b"), "TIME"),
    (re.compile(r"\b\d+\.\d+(e-?\d+)?\b"), "FLOAT"),
    (re.compile(r"(pid\W{1,40}?)\d+"), r"\1PID"),
    (re.compile(r'"\d+"(?=\}, "label": "pid")'), "PID"),
    (re.compile(r"\(process: \d+\)"), "(process: PID)"),
    (re.compile(r"0x[0-9a-f]{6,}"), "ADDRESS"),
    (re.compile(r'((?:log_key": "|compute_logs/))[a-z]{8}\b'), r"\1KEY"),
]


def all_tables(dsn: str, home: Path) -> Mapping[str, list[dict[str, Any]]]:
    """Returns the rows of each table, those with ids in the order of these.

    Ids stay: in a new database they are the same, as long as nothing goes wrong.
    """
    session = Session(dsn)
    quiet = _Quiet(home)
    tables = {name: _rows(session, name, quiet) for name in session.column(TABLES)}
    session.close()
    return tables


def _rows(session: Session, table: str, quiet: "_Quiet") -> list[dict[str, Any]]:
    columns = session.column(COLUMNS, table)
    shown = ", ".join(f'"{column}"' for column in columns)
    order = '"id"' if "id" in columns else "1"
    rows = session.records(f'select {shown} from "{table}" order by {order}')
    return [{name: quiet(value) for name, value in row.items()} for row in rows]


class _Quiet:
    """Takes out of a value what differs from one time to the next.

    Ids of runs become numbers, so that it shows which are the same.
    """

    def __init__(self, home: Path) -> None:
        self._home = str(home)
        self._uuids: dict[str, str] = {}

    def __call__(self, value: object) -> object:
        if isinstance(value, memoryview):
            return bytes(value)
        if not isinstance(value, str):
            return value
        value = UUID.sub(self._number, value.replace(self._home, "HOME"))
        for noise, name in NOISE:
            value = noise.sub(name, value)
        return value

    def _number(self, found: re.Match[str]) -> str:
        return self._uuids.setdefault(found[0], f"UUID-{len(self._uuids)}")
