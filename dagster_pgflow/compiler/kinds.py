"""Which kind an op is, as Dagster's web UI shows it: a badge on the node."""

from collections.abc import Collection, Mapping
from typing import Final

from dagster_pgflow.model.lowered import LoweredStep
from dagster_pgflow.model.steps import HandledStep
from dagster_pgflow.names import NODE_TYPE_PREFIX
from dagster_pgflow.runtime.roles import Role

HELPER: Final = "helper"
_BADGE: Final = "dagster/compute_kind"
"""The tag of which the graph of a job draws the badge; it draws none of `dagster/kind/...`."""


def step_kinds(step: LoweredStep) -> set[str]:
    """Return the kinds of a step: the built-in node type that it runs, or else its type."""
    handler = step.handler if isinstance(step, HandledStep) else None
    if handler is not None and handler.startswith(NODE_TYPE_PREFIX) and step.type == "single":
        return {handler.removeprefix(NODE_TYPE_PREFIX)}
    return {step.type}


def kinds_of(step: LoweredStep, role: Role) -> set[str]:
    """Return the kinds of an op.

    Args:
        step: The step that it is, or helps.
        role: What it does.
    """
    return step_kinds(step) if role in ("step", "iterations") else {HELPER}


def kind_tags(kinds: Collection[str]) -> Mapping[str, str]:
    """Return the tags with which Dagster shows kinds.

    >>> kind_tags({"map"})
    {'dagster/kind/map': '', 'dagster/compute_kind': 'map'}
    """
    named = sorted(kinds)
    badge = {_BADGE: ", ".join(named)} if named else {}
    return {**{f"dagster/kind/{kind}": "" for kind in named}, **badge}
