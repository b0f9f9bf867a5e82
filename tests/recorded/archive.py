"""What a store and the Dagster beside it held at one moment: kept in a file, and put back.

A record is `<name>.tar.xz` in this folder. It holds `runs.json`, which names its runs, and each
table as CSV with its columns: `store/<table>.csv` the tables of the schema pgflow, `dagster/...`
those of Dagster that tell of runs. There is no schema in it, so it goes into tables that the code
of today made, and tests compare the columns that there were.

A release has a record of its own, so that those after it still read what it wrote:

    python -m tests.recorded.record --name 0.1.0

run with the code of that release, and the file committed. Nothing else is needed: tests go through
every record that lies here. One that is committed is never made anew by newer code, because what
it holds is what the old code wrote. What it turns out to lack comes into another one, made with the
old code too: `--only` says which runs.

What the event log calls otherwise today, on purpose, stands in `tests.recorded.renamed`.
"""

import csv
import io
import json
import sys
import tarfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

from tests.execution.projecting import TABLES
from tests.postgres import Session

FOLDER = Path(__file__).parent
SUFFIX = ".tar.xz"
INDEX = "runs.json"
NULL = r"\N"

RUN_TABLES = tuple(TABLES)
"""What a rebuild writes."""

INPUTS = ("flow_versions", "run_requests", "step_outputs", "run_cursors", "projection_cursors")
"""What a rebuild reads besides the run tables themselves and the id of the store."""

DAGSTER_TABLES = {
    "snapshots": "snapshot_id in (select snapshot_id from runs)",
    "runs": "true",
    "run_tags": "true",
    "event_logs": "true",
}
"""What Dagster tells of runs, and which of its rows matter."""

IDENTITY = frozenset({"id", "subrun_id", "parent_run_id", "parent_subrun_id"})
"""Numbers that rows get where they are added: those that are there keep theirs."""

Row = Mapping[str, str | None]
"""A row as PostgreSQL writes it, by column."""

RowsByRun = Mapping[str, Sequence[Row]]


@dataclass(frozen=True)
class KeptRun:
    """A run in a record.

    Attributes:
        record: The name of the record.
        name: What the run is an example of.
        run_id: Its id in `pgflow.runs`.
        is_whole_in_dagster: Whether Dagster has all of it, runs inside included.
    """

    record: str
    name: str
    run_id: str
    is_whole_in_dagster: bool


def records() -> list[str]:
    """Return the names of all records."""
    return sorted(path.name.removesuffix(SUFFIX) for path in FOLDER.glob(f"*{SUFFIX}"))


def runs_in(record: str) -> list[KeptRun]:
    """Return the runs of a record, without reading all of it."""
    with tarfile.open(_path(record)) as file:
        listed = file.extractfile(INDEX)
        assert listed is not None
        return [KeptRun(record, **run) for run in json.load(listed)]


def keep(record: str, store: Session, dagster: Session, runs: Iterable[KeptRun]) -> Path:
    """Write a record and return its path.

    Args:
        record: Its name.
        store: The database with the schema pgflow.
        dagster: The one with Dagster's storage.
        runs: What the runs are called.
    """
    listed = [{k: v for k, v in asdict(run).items() if k != "record"} for run in runs]
    texts = {INDEX: json.dumps(listed, indent=1).encode()}
    for table in store.column(
        "select relname from pg_class where relnamespace = 'pgflow'::regnamespace"
        " and relkind = 'r' and relname <> 'migrations' order by relname"
    ):
        texts[f"store/{table}.csv"] = _read(store, f"select * from pgflow.{table}")
    for table, condition in DAGSTER_TABLES.items():
        texts[f"dagster/{table}.csv"] = _read(dagster, f"select * from {table} where {condition}")
    with tarfile.open(_path(record), "w:xz", preset=9) as file:
        for name, text in texts.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            file.addfile(entry, io.BytesIO(text))
    return _path(record)


def put_back(
    record: str,
    store: Session,
    dagster: Session,
    tables: Iterable[str] = (*INPUTS, *RUN_TABLES),
) -> None:
    """Load a record into a store and a Dagster storage that hold nothing yet.

    Args:
        record: Its name.
        store: The database with the schema pgflow.
        dagster: The one with Dagster's storage.
        tables: Those of the store. A store with the schema of the release that the record was made
            with takes all that the record has, `tables_in`.
    """
    texts = _texts(record)
    [identity] = rows_in(record, "store")
    with _without_triggers(store):
        store("update pgflow.store set store_id = %s", identity["store_id"])
        for table in tables:
            if table != "store":
                _write(store, f"pgflow.{table}", texts[f"store/{table}.csv"])
    with _without_triggers(dagster):
        for table in DAGSTER_TABLES:
            _write(dagster, table, texts[f"dagster/{table}.csv"])
            _count_on(dagster, table)
    for table in ("runs", "subruns", "flow_versions"):
        _count_on(store, f"pgflow.{table}")


def tables_in(record: str) -> list[str]:
    """Return the tables of the schema pgflow that a record has."""
    names = [Path(name) for name in _texts(record)]
    return [path.stem for path in names if path.parent.name == "store"]


def rows_in(record: str, table: str) -> list[Row]:
    """Return the rows of a table of the schema pgflow as they were kept."""
    return _rows(_texts(record)[f"store/{table}.csv"])


def rows_now(record: str, table: str, store: Session) -> list[Row]:
    """Return the rows of a table as they are now, in the columns that a record has."""
    header = _texts(record)[f"store/{table}.csv"].partition(b"\n")[0].decode()
    return _rows(_read(store, f"select {header} from pgflow.{table}"))


def by_run(rows: Mapping[str, Sequence[Row]]) -> Mapping[str, RowsByRun]:
    """Return rows of run tables by table and run id, in one order.

    Args:
        rows: The rows by table, those of `runs` among them.
    """
    numbers = {row["id"]: str(row["run_id"]) for row in rows["runs"]}
    found: dict[str, dict[str, list[Row]]] = {table: {} for table in rows}
    for table, listed in rows.items():
        for row in listed:
            run_id = row["run_id"] if "run_id" in row else numbers[row["parent_run_id"]]
            found[table].setdefault(str(run_id), []).append(row)
    return found


def in_order(rows: Iterable[Row]) -> list[Row]:
    """Return rows in an order that does not depend on the numbers that they got."""
    return sorted(rows, key=lambda row: repr(sorted(without(IDENTITY, row).items())))


def without(columns: frozenset[str], row: Row) -> Row:
    """Return a row without some columns."""
    return {name: value for name, value in row.items() if name not in columns}


def _path(record: str) -> Path:
    return FOLDER / f"{record}{SUFFIX}"


@lru_cache(maxsize=1)
def _texts(record: str) -> Mapping[str, bytes]:
    with tarfile.open(_path(record)) as file:
        entries = [(entry.name, file.extractfile(entry)) for entry in file]
        return {name: text.read() for name, text in entries if text is not None}


def _rows(text: bytes) -> list[Row]:
    csv.field_size_limit(sys.maxsize)
    lines = csv.DictReader(io.StringIO(text.decode(), newline=""))
    return [{k: None if v == NULL else v for k, v in row.items()} for row in lines]


def _read(session: Session, query: str) -> bytes:
    text = io.BytesIO()
    session("set timezone to 'UTC'")
    session("set client_encoding to 'UTF8'")
    with session.connection.cursor() as cursor:
        cursor.copy_expert(f"copy ({query}) to stdout ({_form()})", text)
    return text.getvalue()


def _write(session: Session, table: str, text: bytes) -> None:
    header = text.partition(b"\n")[0].decode()
    session("set client_encoding to 'UTF8'")
    with session.connection.cursor() as cursor:
        cursor.copy_expert(f"copy {table} ({header}) from stdin ({_form()})", io.BytesIO(text))


def _form() -> str:
    return f"format csv, header, null '{NULL}'"


def _count_on(session: Session, table: str) -> None:
    """Have numbers go on behind those that were put back."""
    for column in session.column(
        "select attname from pg_attribute where attrelid = %s::regclass and attnum > 0"
        " and not attisdropped and pg_get_serial_sequence(%s, attname) is not null",
        table,
        table,
    ):
        session(
            f"select setval(pg_get_serial_sequence(%s, %s), coalesce(max({column}), 0) + 1, false)"
            f" from {table}",
            table,
            column,
        )


@contextmanager
def _without_triggers(session: Session) -> Iterator[None]:
    """Take rows as they are, in any order: neither triggers nor foreign keys look at them."""
    session("set session_replication_role to replica")
    try:
        yield
    finally:
        session("set session_replication_role to origin")
