"""Which kind an op is, as Dagster's web UI shows it: a badge on the node."""

from collections.abc import Collection, Mapping
from typing import Final

from dagster_pgflow.compiler.checked_translator import CheckedTranslator
from dagster_pgflow.compiler.plan import OpNode
from dagster_pgflow.model.flow import Flow

HELPER: Final = "helper"
_BADGE: Final = "dagster/compute_kind"
"""The tag of which the graph of a job draws the badge; it draws none of `dagster/kind/...`."""


def kinds_of(flow: Flow, node: OpNode, translator: CheckedTranslator) -> Collection[str]:
    """Return the kinds of an op.

    Args:
        flow: The flow that the node belongs to.
        node: The node.
        translator: Which kinds steps are.
    """
    is_step = node.role in ("step", "iterations")
    return translator.kinds(flow, node.step) if is_step else (HELPER,)


def kind_tags(kinds: Collection[str]) -> Mapping[str, str]:
    """Return the tags with which Dagster shows kinds.

    >>> kind_tags({"map"})
    {'dagster/kind/map': '', 'dagster/compute_kind': 'map'}
    """
    named = sorted(kinds)
    badge = {_BADGE: ", ".join(named)} if named else {}
    return {**{f"dagster/kind/{kind}": "" for kind in named}, **badge}
