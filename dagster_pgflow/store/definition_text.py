"""Definitions as PostgreSQL holds them, read one by one: one that cannot be read harms no other.

Queries fetch them as text: jsonb holds what Python does not read, such as numbers of 5,000 digits,
and the driver would fail with all rows of a query because of one.
"""

import json
from typing import Any

from dagster_pgflow.errors import InvalidFlow, Problem
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.validation.validate import parse_flow


def flow_of_text(flow_slug: str, text: str) -> Flow:
    """Return the flow that a stored definition describes.

    Args:
        flow_slug: The flow whose definition it is.
        text: The definition as JSON text.

    Raises:
        InvalidFlow: It cannot be read, or describes another flow.
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        # What PostgreSQL holds is JSON.
        reason = "it is nested too deeply, or has a number of too many digits"
        raise InvalidFlow(flow_slug, [_unreadable(reason)]) from None
    flow = parse_flow(document)
    if flow.slug != flow_slug:
        raise InvalidFlow(flow_slug, [_unreadable(f'it is that of flow "{flow.slug}"')])
    return flow


def same_definition(text: str, document: dict[str, Any]) -> bool:
    """Return whether a stored definition equals a document; one that cannot be read does not."""
    try:
        stored = json.loads(text)
    except (ValueError, RecursionError):
        return False
    # As texts, because Python holds 1 and true for equal.
    return json.dumps(stored, sort_keys=True) == json.dumps(document, sort_keys=True)


def _unreadable(reason: str) -> Problem:
    message = f"The stored definition cannot be read: {reason}. Define the flow anew."
    return Problem("unreadable-definition", "$", message)
