"""What SQL and Python say of the same definition, and which of them knows which problem."""

from typing import Any

from dagster_pgflow.errors import InvalidFlow
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.validation import validate as rules
from dagster_pgflow.validation.limits import values_are_within_limits
from dagster_pgflow.validation.lint.tags import tags_reach_the_runs
from dagster_pgflow.validation.salvage import flow_of_document
from tests.store.sql_definitions import Refusal

CHILD = Flow("child").step("one")

ONLY_PYTHON_KNOWS = {
    # CEL, JSON Schema and the types that schemas tell of are nothing that SQL can read.
    "invalid-schema",
    "unusable-pattern",
    "invalid-default",
    "endless-default",
    "unknown-node-type",
    "unknown-param",
    "missing-param",
    "wrong-param",
    "path-with-gaps",
    "host-from-data",
    "timeout-too-long",
    "unclear-items",
    "unknown-input-field",
    "missing-input-field",
    "wrong-input-type",
    "reference-leads-nowhere",
    "over-is-no-list",
    # What lies in other flows, and how much of it there is.
    "over-inside-over",
    "too-many-steps",
    "too-many-levels",
    "reference-to-no-final-step",
    # Documents that are no objects; a row always is one.
    "not-an-object",
}
SQL_KNOWS_IN_PART = {
    # An expression that is empty; all else of CEL, only Python reads.
    "invalid-expression",
    # A cron string of other than five fields; whether the fields say a time, croniter knows.
    "invalid-cron",
    # Days of months that are written as numbers.
    "cron-never-comes",
    # One that is empty.
    "unknown-timezone",
    # A field that the kind of step has not; whether a schema has the field, only Python knows.
    "unknown-field",
    # What a parameter of another type than that of the field could not even carry.
    "wrong-value",
}
ONLY_SQL_KNOWS = {
    # Which tags the code location allows.
    "tag-to-be-allowed",
    # Rows that a document cannot write twice.
    "duplicate-flow",
    "duplicate-dependency",
    # What is stored beside definitions.
    "duplicate-trigger",
    # A flow that is not there.
    "unknown-flow",
}

OUT_OF_RANGE = {
    "option-out-of-range",
    "batch-size-out-of-range",
    "max-failures-out-of-range",
    "iterations-out-of-range",
    "wait-out-of-range",
    "seconds-out-of-range",
    "invalid-reminder",
}
SAID_FOR: dict[str, set[str]] = {
    # Step by step, what comes later is not there yet.
    "unknown-dependency": {"dependency-cycle"},
    "loop-start-unknown": {"loop-start-not-before", "dependency-cycle"},
    # A name that no step can have is no slug for SQL, and no step of the flow for Python.
    "invalid-slug": {"target-unknown", "failure-step-unknown", "unknown-subflow"},
    # A kind of step that there is not has none of the fields of one.
    "unknown-field": {"unknown-step-type"},
    # A number that no column holds: PostgreSQL itself says so, or the type of a setting.
    "22003": OUT_OF_RANGE,
    # Python asks no rule of a kind about a step that it cannot read.
    "loop-with-condition": {"wrong-value", "missing-field"},
    "loop-that-is-skipped": {"missing-field"},
    "pipelined-with-condition": {"wrong-value"},
    "no-deadline": {"wrong-value"},
    # A number below 1 is never right; Python first asks whether there is anything to wait for.
    "wait-out-of-range": {"join-of-too-few"},
    # What is in a field is looked at first, then whether the kind of step has the field.
    "wrong-value": {"unknown-field", *OUT_OF_RANGE},
    "value-beyond-limits": {"unknown-field"},
    "invalid-handler": {"unknown-field"},
}
"""What SQL says where Python says it otherwise."""


def codes_of(document: dict[str, Any]) -> set[str]:
    """Returns the codes of all that Python finds, also behind what ends `validate` early."""
    try:
        flow = flow_of_document(document)
    except InvalidFlow as invalid:
        return {problem.code for problem in invalid.problems}
    known = {"child": CHILD}
    found = [*values_are_within_limits(flow, known), *tags_reach_the_runs(flow, known)]
    found += [problem for rule in rules.RULES for problem in rule(flow, known)]
    return {problem.code for problem in found} - {"tag-without-effect"}


def known_to_both(codes: set[str]) -> set[str]:
    return codes - ONLY_PYTHON_KNOWS - SQL_KNOWS_IN_PART


def assert_same_code(refusal: Refusal, codes: set[str]) -> None:
    meant = {refusal.code} | SAID_FOR.get(refusal.code, set())
    assert meant & codes, f"SQL says {refusal}, Python says {codes or 'nothing'}"
