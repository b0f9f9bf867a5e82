"""Runs and steps that wait, as rows: what tests of answers and signals begin with."""

import json
from typing import Any
from uuid import uuid4

from tests.postgres import Session


def waiting_run(sql: Session, status: str = "waiting", flow: str = "f") -> str:
    """Write a run that waits, as the projection does, and return its id."""
    run_id = str(uuid4())
    sql(
        "insert into pgflow.runs (run_id, flow_slug, status, dagster_run_id)"
        " values (%s, %s, %s, %s)",
        run_id,
        flow,
        status,
        run_id,
    )
    return run_id


def wait(
    sql: Session, run_id: str, path: str = "ask", kind: str = "approval", **more: Any
) -> dict[str, Any]:
    """Have a step wait, or ask how it stands, and return its row."""
    given = {"run_id": run_id, "step_path": path, "kind": kind, "flow_slug": "f", "step_slug": path}
    given |= {
        name: json.dumps(value) if name == "answer_schema" else value
        for name, value in more.items()
    }
    types = {"run_id": "uuid", "answer_schema": "jsonb", "answerers": "text[]"}
    listed = ", ".join(f"{name} => %s::{types.get(name, 'text')}" for name in given)
    for name in ("seconds", "until"):
        listed = listed.replace(f"{name} => %s::text", f"{name} => %s::double precision")
    listed = listed.replace("reminders => %s::text", "reminders => %s::integer[]")
    row: dict[str, Any] = sql.value(
        f"select to_jsonb(w) from pgflow.open_wait({listed}) as w", *given.values()
    )
    return row


def answer(sql: Session, run_id: str, path: str = "ask", value: Any = True, **more: Any) -> Any:
    """Answer a step, and return its row."""
    listed = "".join(f", {name} => %s" for name in more)
    return sql.value(
        f"select to_jsonb(w) from pgflow.answer(%s, %s, %s{listed}) as w",
        run_id,
        path,
        json.dumps(value),
        *more.values(),
    )


def signal(sql: Session, name: str, key: str | None = None, **more: Any) -> int:
    """Send a signal, and return to how many steps it went."""
    given = {n: json.dumps(v) if n == "payload" else v for n, v in more.items()}
    listed = "".join(f", {name} => %s" for name in given)
    sent: int = sql.value(f"select pgflow.signal(%s, %s{listed})", name, key, *given.values())
    return sent


def let_pass(sql: Session, run_id: str, path: str = "ask") -> None:
    """Put the deadline of a wait into the past, as time does."""
    sql(
        "update pgflow.waits set due_at = clock_timestamp() - interval '1 s'"
        " where run_id = %s and step_path = %s",
        run_id,
        path,
    )


def status(sql: Session, run_id: str, path: str = "ask") -> str:
    """Return how a wait stands."""
    found: str = sql.value(
        "select status from pgflow.waits where run_id = %s and step_path = %s", run_id, path
    )
    return found
