"""What must hold when everything is over, whatever was killed."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

import dagster as dg

from dagster_pgflow.names import TAG_CHILD_RUN, TAG_RUN_ID
from dagster_pgflow.projection.sync.projector import project, rebuild
from dagster_pgflow.projection.sync.store import ProjectionStore
from dagster_pgflow.store.catalog import Catalog
from dagster_pgflow.store.database import Database
from dagster_pgflow.store.outputs import OutputStore
from dagster_pgflow.store.run_tables import RunTables
from tests.chaos.flows import ASKS, KINDS
from tests.execution.projecting import TABLES
from tests.postgres import Session

Requests = Mapping[UUID, tuple[str, Mapping[str, int]]]
"""The flow and the input of each run that was asked for, by its id."""

EXPECTED = {kind.flow.slug: kind.output for kind in (*KINDS, ASKS)}

HOW_FAR_ALL_IS = """
select status, count(*), max(updated_at) from pgflow.runs group by status order by status
"""

RUNS_TO_RETRY = """
select run_id from pgflow.runs
where status in ('failed', 'cancelled') and dagster_run_id is not null
order by created_at, run_id
"""

IS_RETRIED = "select from pgflow.runs where retry_of = %s"

NOT_COMPLETED = """
select run_id, flow_slug, status, error_message from pgflow.runs
where status in ('failed', 'cancelled') and retry_of is null
order by created_at, run_id
"""

WHY_RUNS_FAILED = """
select left(regexp_replace(error_message, '[0-9a-f-]{36}|[0-9:-]{8,}', '...', 'g'), 200)
from pgflow.runs
where status in ('failed', 'cancelled')
"""


def under_way(sql: Session) -> list[tuple[Any, ...]]:
    """Returns the runs that are not over."""
    return sql(
        "select run_id, dagster_run_id, flow_slug, status from pgflow.runs"
        " where status in ('queued', 'started', 'waiting')"
    )


def problems(
    sql: Session, instance: dg.DagsterInstance, requests: Requests, effects: Path
) -> Iterator[str]:
    """Yields a sentence for each thing that is not as it must be."""
    yield from _requests_without_their_run(sql, instance, requests)
    yield from (f"Run {row[0]} ({row[2]}) is {row[3]} for ever." for row in under_way(sql))
    yield from _not_completed(sql)
    yield from _rows_left_under_way(sql)
    yield from _wrong_outputs(sql, requests)
    yield from _doubled_effects(sql, effects)
    yield from _differences_from_dagster(sql, instance)


def _requests_without_their_run(
    sql: Session, instance: dg.DagsterInstance, requests: Requests
) -> Iterator[str]:
    counted: Counter[str] = Counter()
    for run in instance.get_runs():
        is_child = run.tags.get(TAG_CHILD_RUN) == run.run_id
        if TAG_RUN_ID in run.tags and not is_child and run.parent_run_id is None:
            counted[run.tags[TAG_RUN_ID]] += 1
    stored = Counter(sql.column("select run_id::text from pgflow.runs where retry_of is null"))
    for run_id in map(str, requests):
        if counted[run_id] != 1:
            yield f"Request {run_id} has {counted[run_id]} runs in Dagster."
        if stored[run_id] != 1:
            yield f"Request {run_id} has {stored[run_id]} rows in pgflow.runs."
    for run_id in stored.keys() - set(map(str, requests)):
        yield f"Nobody asked for run {run_id}."


def _not_completed(sql: Session) -> Iterator[str]:
    """Yield the runs that had to be retried: none of these flows can fail by itself."""
    for run_id, slug, status, error in sql(NOT_COMPLETED):
        yield f"Run {run_id} ({slug}) is {status}, and was to go on by itself: {error}"


def _rows_left_under_way(sql: Session) -> Iterator[str]:
    for table, path in (("step_states", "step_path"), ("step_tasks", "step_path")):
        for run_id, where, status in sql(
            f"select part.run_id, {path}, part.status from pgflow.{table} as part"
            " join pgflow.runs as run using (run_id)"
            " where part.status in ('created', 'started', 'queued')"
            " and run.status not in ('queued', 'started', 'waiting')"
        ):
            yield f"Run {run_id} is over, and {where} of {table} is {status}."


def _wrong_outputs(sql: Session, requests: Requests) -> Iterator[str]:
    rows = sql(
        "select coalesce(retry_of, run_id), flow_slug, output from pgflow.runs"
        " where status = 'completed'"
    )
    for run_id, slug, output in rows:
        expected = EXPECTED[slug](requests[UUID(str(run_id))][1])
        if output != expected:
            yield f"Run {run_id} ({slug}) returned {output} for {expected}."
    failed = (
        "select run_id, error_message from pgflow.runs where status <> 'completed' and retry_of"
    )
    for run_id, error in sql(f"{failed} is not null"):
        yield f"Run {run_id}, which nobody killed, did not complete: {error}"


def _doubled_effects(sql: Session, effects: Path) -> Iterator[str]:
    told = [json.loads(line) for line in effects.read_text().splitlines()]
    recorded = {
        (str(run_id), path, index, attempt)
        for run_id, path, index, attempt in sql(
            "select run_id, step_path, task_index, attempt from pgflow.node_executions"
        )
    }
    seen: Counter[tuple[Any, ...]] = Counter()
    for one in told:
        seen[one["run_id"], one["key"], one["attempt"]] += 1
        place = (one["run_id"], one["step_path"], one["task_index"], one["attempt"])
        if place not in recorded:
            yield f"Nothing is recorded of {place}, which did something."
    for (run_id, key, attempt), count in seen.items():
        if count > 1:
            yield f"Attempt {attempt} of {key} in run {run_id} did {count} times what it does."
    yield from _done_again(sql, told)


def _done_again(sql: Session, told: list[dict[str, Any]]) -> Iterator[str]:
    """Yield what a retry did of steps that had completed."""
    completed = set(
        sql(
            "select retry.run_id, step.step_path from pgflow.runs as retry"
            " join pgflow.step_states as step on step.run_id = retry.retry_of"
            " where step.status = 'completed'"
        )
    )
    for one in told:
        if (one["run_id"], one["step_path"]) in completed:
            yield f"Run {one['run_id']} did {one['step_path']} again, which had completed."


def _differences_from_dagster(sql: Session, instance: dg.DagsterInstance) -> Iterator[str]:
    words = {"SUCCESS": "completed", "FAILURE": "failed", "CANCELED": "cancelled"}
    # Of a run that went on, the newest Dagster run says how it ended.
    for run_id, dagster_run_id, status in sql("""
        select run.run_id, coalesce(newest.dagster_run_id, run.dagster_run_id), run.status
        from pgflow.runs as run
        left join lateral (
          select continuation.dagster_run_id
          from pgflow.run_continuations as continuation
          where continuation.run_id = run.run_id and continuation.dagster_run_id is not null
          order by continuation.number desc
          limit 1
        ) as newest on true
        where run.dagster_run_id is not null
    """):
        run = instance.get_run_by_id(str(dagster_run_id))
        word = None if run is None else words.get(run.status.value, run.status.value)
        if word != status:
            yield f"Run {run_id} is {status} for us and {word} in Dagster."


def settle(url: str, instance: dg.DagsterInstance, sql: Session) -> None:
    """Does what the sensor still has to do: reads each run once more after its end."""
    database = Database(url)
    for _ in range(2):
        sql("update pgflow.run_cursors set due_at = now()")
        project(instance, _store(database))
    database.close()


def differences_from_a_rebuild(
    url: str, instance: dg.DagsterInstance, sql: Session
) -> Iterator[str]:
    """Makes the tables anew, and yields what is then different."""
    before = _rows(sql)
    database = Database(url)
    result = rebuild(instance, _store(database))
    database.close()
    yield from result.problems
    for table, rows in _rows(sql).items():
        for old, new in zip(before[table], rows, strict=False):
            if old != new:
                changed = {name: (old[name], new[name]) for name in old if old[name] != new[name]}
                yield f"A rebuild changes a row of {table}: {changed} of {_named(old)}"
        if len(before[table]) != len(rows):
            yield f"A rebuild makes {len(rows)} rows of {table} from {len(before[table])}."


def _rows(sql: Session) -> dict[str, list[dict[str, Any]]]:
    return {
        table: sql.records(f"select * from pgflow.{table} order by {order}")
        for table, order in TABLES.items()
    }


def _named(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in ("run_id", "step_path", "sequence_num") if name in row}


def _store(database: Database) -> ProjectionStore:
    return ProjectionStore(Catalog(database), OutputStore(database), RunTables(database))
