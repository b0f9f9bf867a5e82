"""Nodes that wait: for a person, for a signal, for a time; and what is decided behind them.

A step that waits decides nothing. Where edges with conditions leave such a node, a branch stands
behind it that has them.
"""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from dagster_pgflow.dsl.workflow.config_shape import Condition
from dagster_pgflow.dsl.workflow.parts import Parts, PlacedEdge, PlacedNode, Problems, read
from dagster_pgflow.dsl.workflow.shape import Edge, Node
from dagster_pgflow.dsl.workflow.waiting_shape import HITL, WAITING
from dagster_pgflow.model.options import MS
from dagster_pgflow.model.steps import ApprovalStep, SingleStep, SleepStep, Step, WaitStep
from dagster_pgflow.names import is_valid_slug

APPROVED: Final = "has(output.answer) && output.answer == true"
DECISIONS: Final[Mapping[str, str]] = {
    "approved": APPROVED,
    **dict.fromkeys(("rejected", "not approved", "not_approved", "!(approved)"), f"!({APPROVED})"),
}
"""What edges behind a node say that a person answers with yes or no."""

OF_PEOPLE: Final = ("approval", HITL)
YES_OR_NO: Final = {"type": "boolean"}
OTHER_WORDS: Final[Mapping[str, str]] = {
    "approvers": "answerers",
    "message": "prompt",
    "question": "prompt",
}
"""What nodes of type `hitl` call what we call otherwise."""


def with_decisions_apart(parts: Parts, problems: Problems) -> Parts:
    """Return parts in which a node that waits decides nothing: a node behind it does.

    Args:
        parts: What could be read of a document.
        problems: Where to note what is wrong.
    """
    leaving: dict[str, list[PlacedEdge]] = {}
    for edge in parts.edges:
        leaving.setdefault(edge.shape.from_, []).append(edge)
    nodes: dict[str, PlacedNode] = {}
    moved: dict[int, PlacedEdge] = {}
    added: list[PlacedEdge] = []
    for id, node in parts.nodes.items():
        nodes[id] = node
        if node.shape.type not in WAITING:
            continue
        failing = node.shape.failure_nodes().values()
        decided = [
            edge
            for edge in leaving.get(id, ())
            if edge.shape.to not in failing or edge.shape.condition is not None
        ]
        asks = node.shape.type in OF_PEOPLE and any(_text(edge) in DECISIONS for edge in decided)
        nodes[id] = _in_our_words(node, problems, asks=asks)
        if node.branch is None and not any(_text(edge) for edge in decided):
            continue
        behind = _name_behind(node, {*parts.nodes, *nodes}, problems)
        nodes[id] = replace(nodes[id], branch=None)
        shape = Node(id=behind, type="conditional")
        nodes[behind] = PlacedNode(behind, node.index, shape, is_known=True, branch=node.branch)
        first = decided[0].index if decided else 0
        added.append(PlacedEdge(first, Edge(**{"from": id, "to": behind})))
        moved |= {edge.index: _moved(edge, behind, node.shape.type) for edge in decided}
    edges = (moved.get(edge.index, edge) for edge in parts.edges)
    return replace(parts, nodes=nodes, edges=(*edges, *added))


def waiting_step(node: PlacedNode, common: dict[str, Any], problems: Problems) -> Step:
    """Return the step that a node is that waits.

    Args:
        common: The fields that every step has.
        problems: Where to note what is wrong.
    """
    if node.shape.config_ref is not None:
        message = "A node that waits has no handler that could look this up; remove it."
        problems.note("unknown-field", f"{node.place}.config_ref", message)
    kind = node.shape.type
    config = read(WAITING[kind], node.config, ("nodes", node.index, "config"), problems)
    if config is None:
        problems.incomplete.add(node.id)
        return SingleStep(**common)
    fields = common | config.model_dump(exclude_unset=True)
    match kind:
        case "wait":
            return WaitStep(**fields)
        case "sleep":
            return SleepStep(**fields)
        case "approval" | "hitl":
            return ApprovalStep(**fields)
        case _:
            raise AssertionError(f"A node of type {kind} does not wait.")


def _in_our_words(node: PlacedNode, problems: Problems, *, asks: bool) -> PlacedNode:
    """Return a node that says what it waits for as we do.

    Args:
        node: The node.
        problems: Where to note what is wrong.
        asks: Whether edges behind it want to hear yes or no.
    """
    config, shape = dict(node.config), node.shape
    if shape.type == HITL:
        for word, ours in OTHER_WORDS.items():
            if word in config and ours not in config:
                config[ours] = config.pop(word)
        if "timeout" in config:
            message = "Whether these are seconds is not said; write deadline, in seconds."
            problems.note("unknown-field", f"{node.place}.config.timeout", message)
            del config["timeout"]
        if shape.timeout_ms:
            config.setdefault("deadline", math.ceil(shape.timeout_ms / MS))
            shape = shape.model_copy(update={"timeout_ms": None})
    if asks:
        config.setdefault("answer_schema", YES_OR_NO)
    return replace(node, shape=shape.model_copy(update={"config": config or None}))


def _text(edge: PlacedEdge) -> str:
    condition = edge.shape.condition
    return "" if condition is None else condition.text


def _moved(edge: PlacedEdge, behind: str, kind: str) -> PlacedEdge:
    """Return an edge that leaves the node behind, with its condition in CEL."""
    changes: dict[str, Any] = {"from_": behind}
    decision = DECISIONS.get(_text(edge)) if kind in OF_PEOPLE else None
    if decision is not None:
        changes["condition"] = Condition(expression=decision)
    return replace(edge, shape=edge.shape.model_copy(update=changes))


def _name_behind(node: PlacedNode, taken: set[str], problems: Problems) -> str:
    name = f"{node.id}_decides"
    while name in taken:
        name += "_"
    if is_valid_slug(node.id) and not is_valid_slug(name):
        message = f'A node "{name}" decides behind this one, and its id is too long; shorten this.'
        problems.note("invalid-id", f"{node.place}.id", message)
    return name
