"""Gives the document of a flow to SQL as somebody does who writes only SQL: step by step."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg2

from tests.postgres import Session

Document = dict[str, Any]

OPTIONS = (
    "max_attempts",
    "base_delay",
    "timeout",
    "timeout_ms",
    "max_delay",
    "jitter",
    "start_delay",
)
TEXTS = ("jitter", "concurrency_key")
PARAMETERS = {
    "slug": ("step_slug", "text"),
    "type": ("step_type", "text"),
    "depends_on": ("deps_slugs", "text[]"),
    "description": ("description", "text"),
    "if": ("required_input_pattern", "jsonb"),
    "if_not": ("forbidden_input_pattern", "jsonb"),
    "run_if": ("run_if", "text"),
    "run_unless": ("run_unless", "text"),
    "when_unmet": ("when_unmet", "text"),
    "when_exhausted": ("when_exhausted", "text"),
    "handler": ("handler", "text"),
    "params": ("params", "jsonb"),
    "pool": ("pool", "text"),
    "before": ("before", "text[]"),
    "after": ("after", "text[]"),
    "requires": ("requires", "text[]"),
    "produces": ("produces", "text[]"),
    "consumes": ("consumes", "text[]"),
    "partition": ("partition", "text"),
    "check_schemas": ("check_schemas", "text"),
    "coerce": ("coerce", "boolean"),
    "input_schema": ("input_schema", "jsonb"),
    "output_schema": ("output_schema", "jsonb"),
    "batch_size": ("batch_size", "integer"),
    "collect_errors": ("collect_errors", "boolean"),
    "pipelined": ("pipelined", "boolean"),
    "max_failures": ("max_failures", "integer"),
    "max_failures_percent": ("max_failures_percent", "integer"),
    "flow": ("subflow_slug", "text"),
    "input": ("subflow_input", "jsonb"),
    "output": ("subflow_output", "jsonb"),
    "on_failure": ("on_failure", "text"),
    "on_timeout": ("on_timeout", "text"),
    "members": ("members", "text[]"),
    "over": ("over", "text"),
    "mode": ("mode", "text"),
    "circuit_breaker": ("circuit_breaker", "jsonb"),
    "bulkhead": ("bulkhead", "jsonb"),
    "rate_limiter": ("rate_limiter", "jsonb"),
    "rules": ("rules", "jsonb"),
    "default_path": ("default_path", "text[]"),
    "wait": ("wait", "text"),
    "back_to": ("back_to", "text"),
    "condition": ("condition", "text"),
    "max_iterations": ("max_iterations", "integer"),
    "break_path": ("break_path", "text[]"),
    "timeout_path": ("timeout_path", "text[]"),
    "prompt": ("prompt", "text"),
    "answerers": ("answerers", "text[]"),
    "signal": ("signal", "text"),
    "seconds": ("seconds", "integer"),
    "until": ("until", "text"),
    "deadline": ("deadline", "integer"),
    "on_deadline": ("on_deadline", "text"),
    "default_answer": ("default_answer", "jsonb"),
    "key": ("key", "text"),
    "answer_schema": ("answer_schema", "jsonb"),
    "reminders": ("reminders", "integer[]"),
    "merge_input": ("merge_input", "boolean"),
    "keep_input": ("keep_input", "boolean"),
}
"""The parameters of `pgflow.add_step` by the fields of a document, with their types."""


@dataclass(frozen=True)
class Refusal:
    """What SQL said no with.

    Attributes:
        code: The code of the problem, or the SQLSTATE where PostgreSQL itself found it.
        message: The sentence.
    """

    code: str
    message: str


def refusal_step_by_step(sql: Session, document: Document) -> Refusal | None:
    """Return what SQL refuses of a flow that is built with its functions, then is to start."""
    with rolled_back(sql):
        try:
            _create_flow(sql, document)
            for step in in_order(document.get("steps", [])):
                _add_step(sql, document["slug"], step)
            for schedule in document.get("schedules", []):
                _insert_schedule(sql, document["slug"], schedule)
            sql("select pgflow.refuse_open_failure_step(%s)", document["slug"])
            sql("select pgflow.refuse_open_route(%s)", document["slug"])
        except psycopg2.Error as error:
            sql("rollback")
            return _refusal(sql, error)
    return None


def refusal_of_whole(sql: Session, document: Document) -> Refusal | None:
    """Return what the tables refuse of a flow that is stored as one document."""
    ordered = document | {"steps": in_order(document.get("steps", []))}
    with rolled_back(sql):
        try:
            sql("select pgflow.replace_flow(%s)", json.dumps(ordered))
        except psycopg2.Error as error:
            sql("rollback")
            return _refusal(sql, error)
    return None


@contextmanager
def rolled_back(sql: Session) -> Iterator[None]:
    """Opens a transaction that leaves nothing behind."""
    sql("begin")
    try:
        yield
    finally:
        sql("rollback")


def in_order(steps: list[Document]) -> list[Document]:
    """Return steps behind their dependencies, as far as that can be."""
    ordered: list[Document] = []
    left = list(steps)
    while left:
        waiting = {step["slug"] for step in left}
        ready = next(
            (step for step in left if not waiting & set(step.get("depends_on", []))), left[0]
        )
        ordered.append(ready)
        left = [step for step in left if step is not ready]
    return ordered


def _create_flow(sql: Session, document: Document) -> None:
    given: list[tuple[str, str, Any]] = [
        (name, "text" if name in TEXTS else "integer", value)
        for name, value in document.get("options", {}).items()
        if name != "on_event"
    ]
    given += [
        (name, "jsonb", json.dumps(document[name]))
        for name in ("tags", "input_schema", "output_schema")
        if name in document
    ]
    if "on_event" in document.get("options", {}):
        given.append(("on_event", "jsonb", json.dumps(document["options"]["on_event"])))
    if "merge_output" in document:
        given.append(("merge_output", "boolean", document["merge_output"]))
    _call(sql, "create_flow", [("flow_slug", "text", document["slug"]), *given])


def _add_step(sql: Session, flow_slug: str, step: Document) -> None:
    flags = [
        value for field, value in step.items() if PARAMETERS.get(field, ("", ""))[1] == "boolean"
    ]
    if not all(isinstance(value, bool | None) for value in flags):
        # A parameter has a type, so only a definition can hold anything else.
        sql("select pgflow.define_step(%s, %s)", flow_slug, json.dumps(step))
        return
    given: list[tuple[str, str, Any]] = [("flow_slug", "text", flow_slug)]
    for name, value in step.get("options", {}).items():
        given.append((name, "text" if name == "jitter" else "integer", value))
    for field, value in step.items():
        if field != "options":
            name, kind = PARAMETERS[field]
            written = json.dumps(value) if kind == "jsonb" else value
            given.append((name, kind, str(value) if field == "wait" else written))
    _call(sql, "add_step", given)


def _call(sql: Session, function: str, given: list[tuple[str, str, Any]]) -> None:
    arguments = ", ".join(f"{name} => %s::{kind}" for name, kind, _ in given)
    sql(f"select pgflow.{function}({arguments})", *(value for *_, value in given))


def _insert_schedule(sql: Session, flow_slug: str, schedule: Document) -> None:
    sql(
        "insert into pgflow.schedules (flow_slug, schedule_slug, cron, timezone, input)"
        " values (%s, %s, %s, %s, %s)",
        flow_slug,
        schedule["slug"],
        schedule["cron"],
        schedule.get("timezone", "UTC"),
        json.dumps(schedule.get("input", {})),
    )


def _refusal(sql: Session, error: psycopg2.Error) -> Refusal:
    code = error.diag.message_detail
    constraint = error.diag.constraint_name
    known = sql.value("select pgflow.problem_code(%s)", constraint)
    if error.diag.source_function == "exec_stmt_raise" and constraint is not None:
        assert code == known, f"{constraint} is raised with the code {code}, but means {known}"
    return Refusal(str(known or error.pgcode), str(error.diag.message_primary))
