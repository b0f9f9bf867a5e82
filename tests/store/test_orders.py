"""What is put in order by a time is put in one order: clocks give the same time twice."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest

from dagster_pgflow.store.database import Database
from dagster_pgflow.store.run_status import RunStatusReader
from tests.docs.pages import PAGES, ROOT, blocks_of
from tests.postgres import Session

FILES = sorted((ROOT / "dagster_pgflow" / "store").glob("*.sql")) + sorted(
    (ROOT / "dagster_pgflow" / "store" / "schema").glob("*.sql")
)
TIME = re.compile(r"\b(\w+_at|timestamp|first_seen|last_heartbeat)\b")
BEGIN = re.compile(r"(?<!within group \()\border by\s")
END = re.compile(r"on conflict\b|limit\b|for update\b|loop\b|;|\$\$")
UNIQUE = {
    "id",
    "run_id",
    "dagster_run_id",
    "version_id",
    "sequence_num",
    "attempt",
    "step_path",
    "step_slug",
    "worker_id",
    "wait_id",
    "signal_id",
    "delivery_id",
    "event_id",
    "event",
    "asset_key",
}
"""What decides at last; the rows of the attempts of a task share a path and an index. A run has one
delivery for each event, and an asset one row for those that look at it."""


def orders_of(sql: str) -> Iterator[list[str]]:
    """Yields the keys of each `order by`, without their tables and directions."""
    text = re.sub(r"--[^\n]*", "", sql)
    for begin in BEGIN.finditer(text):
        depth, keys = 0, [""]
        for place in range(begin.end(), len(text)):
            sign = text[place]
            depth += {"(": 1, ")": -1}.get(sign, 0)
            if depth < 0 or (depth == 0 and END.match(text, place)):
                break
            if sign == "," and depth == 0:
                keys.append("")
            else:
                keys[-1] += sign
        yield [key.strip() for key in keys]


def is_loose(keys: list[str]) -> bool:
    """Return whether a time decides, and nothing behind it when it is the same."""
    if not any(TIME.search(key) for key in keys):
        return False
    last = re.sub(r"\s+(collate \"C\"|asc|desc|nulls \w+)", "", keys[-1]).rpartition(".")[2]
    has_tasks = any("task_index" in key for key in keys)
    return last not in ({"attempt"} if has_tasks else UNIQUE)


def test_the_check_sees_an_order_that_a_time_decides_alone() -> None:
    loose = [
        "select 1 from a order by a.created_at desc limit 10;",
        "select 1 from a order by created_at",
        "select 1 from a order by greatest(a.seen_at, b.seen_at), name;",
        "select array_agg(a order by a.started_at) from a",
        "select 1 from a order by completed_at, step_path, task_index;",
        "insert into a select 1 from b order by b.changed_at on conflict do nothing;",
    ]
    sound = [
        "select 1 from a order by a.created_at desc, a.id desc limit 10;",
        'select 1 from a order by coalesce(a.b_at, a.c_at) nulls last, a.step_path collate "C";',
        "select percentile_cont(0.5) within group (order by a.completed_at - a.started_at) from a",
        "select 1 from a order by name;",
        "select 1 from a order by a.created_at, a.id\nfor update of a;",
        "for b in select 1 from a order by place loop select handed_over_at from c;",
    ]
    assert [sql for sql in loose if not any(map(is_loose, orders_of(sql)))] == []
    assert [sql for sql in sound if any(map(is_loose, orders_of(sql)))] == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_no_query_of_ours_leaves_the_order_to_a_clock_alone(path: Path) -> None:
    assert [keys for keys in orders_of(path.read_text()) if is_loose(keys)] == []


def test_no_query_on_a_page_leaves_the_order_to_a_clock_alone() -> None:
    blocks = [block for page in PAGES for block in blocks_of(page) if block.language == "sql"]
    assert [
        (block.place, keys) for block in blocks for keys in orders_of(block.text) if is_loose(keys)
    ] == []


def test_attempts_that_failed_at_the_same_time_are_told_in_their_order(
    database: Database, sql: Session
) -> None:
    now, run_id = datetime.now(UTC), UUID(int=1)
    sql(
        "insert into pgflow.runs (run_id, flow_slug, status) values (%s, 'f', 'failed')",
        str(run_id),
    )
    for path in ("b", "a"):
        sql(
            "insert into pgflow.step_states (run_id, step_path, step_slug, flow_slug)"
            " values (%s, %s, %s, 'f')",
            *(str(run_id), path, path),
        )
        sql(
            "insert into pgflow.step_tasks"
            " (run_id, step_path, step_slug, flow_slug, attempts_count)"
            " values (%s, %s, %s, 'f', 9)",
            *(str(run_id), path, path),
        )
        for attempt in (9, 2, 4, 1, 7, 3, 8, 6, 5):
            sql(
                "insert into pgflow.node_executions (run_id, step_path, attempt, step_slug,"
                " flow_slug, status, completed_at, duration_ms)"
                " values (%s, %s, %s, %s, 'f', 'failed', %s, 0)",
                *(str(run_id), path, attempt, path, now),
            )
    report = RunStatusReader(database).report(run_id)
    told = [(failed.step_path, failed.attempt) for failed in report.failed_attempts]
    assert told == [(path, attempt) for path in "ab" for attempt in range(1, 10)][-len(told) :]
    assert len(told) > 9
