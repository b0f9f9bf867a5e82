"""What a change of a flow does to the flows that contain it."""

from collections.abc import Container, Iterator

from dagster_pgflow.errors import Problem
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.store.database import Transaction
from dagster_pgflow.store.definition_text import flow_of_text
from dagster_pgflow.validation.subflows import contained_flows
from dagster_pgflow.validation.validate import validate

NEWEST = 2**63 - 1
"""A watermark above all versions."""


def tree_at(transaction: Transaction, flow_slug: str, watermark: int = NEWEST) -> dict[str, Flow]:
    """Return a flow and all that it contains as of a watermark, by slug; nothing without it."""
    rows = transaction.fetch_all("fetch_trees", flow_slugs=[flow_slug], watermark=watermark)
    return {row["flow_slug"]: flow_of_text(row["flow_slug"], row["definition"]) for row in rows}


def broken_around(
    transaction: Transaction, changed: Container[str], watermark: int
) -> Iterator[tuple[str, Problem]]:
    """Yield the problems that flows have only because flows that they contain were changed.

    Args:
        transaction: It changed these flows and published them.
        changed: Their slugs.
        watermark: The newest version before.
    """
    for row in transaction.fetch_all("fetch_versions_after", watermark=watermark):
        slug = row["flow_slug"]
        if slug in changed or row["definition"] is None:
            continue
        known = tree_at(transaction, slug)
        inside = contained_flows(known[slug], known)
        if any(inner in changed for inner in inside):
            before = tree_at(transaction, slug, watermark)
            had = set(validate(before[slug], before)) if slug in before else set()
            yield from ((slug, new) for new in validate(known[slug], known) if new not in had)
