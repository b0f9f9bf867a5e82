"""Runs that older code recorded are read by this code as that one read them: row by row.

`tests.recorded.archive` says what a record is, and how a release gets one.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import pytest

from dagster_pgflow.projection.sync.projector import rebuild
from dagster_pgflow.store.database import Database
from tests.execution.projecting import opened_world
from tests.execution.projecting_elsewhere import dagster_in_postgres
from tests.postgres import Server, Session
from tests.recorded.archive import (
    IDENTITY,
    RUN_TABLES,
    KeptRun,
    RowsByRun,
    by_run,
    in_order,
    put_back,
    records,
    rows_in,
    rows_now,
    runs_in,
    without,
)
from tests.recorded.renamed import by_place, is_renamed, said_today

RUNS = [run for record in records() for run in runs_in(record)]
Rows = Mapping[str, RowsByRun]


@dataclass(frozen=True)
class Compared:
    """The rows of the runs of a record, by table and run.

    Attributes:
        kept: As they were kept.
        rebuilt: After a rebuild that found them as they were kept.
        made: After one that found none of them.
    """

    kept: Rows
    rebuilt: Rows
    made: Rows


Comparison = Callable[[str], Compared]


@pytest.fixture(scope="module")
def compared(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    """Rebuilds the runs of a record, once for all tests of them."""
    return lru_cache(lambda record: comparison(record, server, tmp_path_factory.mktemp(record)))


def comparison(record: str, server: Server, folder: Path) -> Compared:
    with server.database() as url, server.database(migrated=False) as storage_url:
        database, store, storage = Database(url), Session(url), Session(storage_url)
        with (
            dagster_in_postgres(storage_url, folder) as instance,
            opened_world(database, store, instance) as world,
        ):

            def rebuilt() -> Rows:
                assert rebuild(instance, world.store).problems == []
                return by_run({table: rows_now(record, table, store) for table in RUN_TABLES})

            put_back(record, store, storage)
            kept = by_run({table: rows_in(record, table) for table in RUN_TABLES})
            over_what_is_there = rebuilt()
            store("truncate pgflow.runs, pgflow.event_log, pgflow.run_cursors cascade")
            store("truncate pgflow.projection_cursors")
            compared = Compared(kept, over_what_is_there, rebuilt())
        for opened in (database, store, storage):
            opened.close()
    return compared


def name_of(run: KeptRun) -> str:
    return f"{run.record}: {run.name}"


@pytest.mark.parametrize("run", RUNS, ids=name_of)
def test_a_rebuild_gives_the_rows_that_there_were(compared: Comparison, run: KeptRun) -> None:
    found = compared(run.record)
    assert_same(found.rebuilt, found.kept, run)


@pytest.mark.parametrize("run", [run for run in RUNS if run.is_whole_in_dagster], ids=name_of)
def test_a_rebuild_from_nothing_gives_them_too(compared: Comparison, run: KeptRun) -> None:
    found = compared(run.record)
    assert_same(found.made, found.kept, run, leaving_out=IDENTITY)


@pytest.mark.parametrize("record", records())
def test_there_are_rows_of_no_other_run(compared: Comparison, record: str) -> None:
    found, known = compared(record), {run.run_id for run in runs_in(record)}
    for table in RUN_TABLES:
        assert found.rebuilt[table].keys() | found.made[table].keys() <= known


def assert_same(
    found: Rows, kept: Rows, run: KeptRun, leaving_out: frozenset[str] = frozenset()
) -> None:
    for table in RUN_TABLES:
        rows, wanted = found[table].get(run.run_id, []), kept[table].get(run.run_id, [])
        if table == "event_log" and any(map(is_renamed, wanted)):
            rows, wanted = by_place(rows), by_place([*map(said_today, wanted)])
        left = [in_order(without(leaving_out, row) for row in side) for side in (rows, wanted)]
        assert left[0] == left[1], table
