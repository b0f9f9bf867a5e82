"""Workflow documents become flows: nodes and edges in JSON or YAML, checked as a whole.

All that is wrong with a document is reported at once, with its place in the document, whether the
document has not the shape of one, its nodes hang together badly, or the flow that it describes is
not sound.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from dagster_pgflow.dsl.reading.json_text import read_json
from dagster_pgflow.dsl.reading.unreadable import Unreadable
from dagster_pgflow.dsl.reading.yaml_text import read_yaml
from dagster_pgflow.dsl.workflow.flow_settings import settings_of
from dagster_pgflow.dsl.workflow.links import links_of
from dagster_pgflow.dsl.workflow.parts import (
    Parts,
    PlacedEdge,
    Problems,
    TooManyProblems,
    parts_of,
    shown,
)
from dagster_pgflow.dsl.workflow.places import problems_of_flow
from dagster_pgflow.dsl.workflow.routes import Routes, routes_of
from dagster_pgflow.dsl.workflow.shape import Metadata
from dagster_pgflow.dsl.workflow.steps import step_of
from dagster_pgflow.dsl.workflow.tags import tags_of
from dagster_pgflow.dsl.workflow.waiting import with_decisions_apart
from dagster_pgflow.errors import InvalidFlow, Problem, more_problems
from dagster_pgflow.json_values.limits import problem_of
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.names import slugified

KIND: Final = "Workflow document"
STAND_IN: Final = "workflow"

_NUMBERED: Final = re.compile(r"(nodes|edges)\[(\d+)\]")


def is_workflow(document: Any) -> bool:
    """Return whether a document is meant to be a workflow, by its shape, and not a flow."""
    if not isinstance(document, dict) or "steps" in document or "slug" in document:
        return False
    return "nodes" in document or "edges" in document


def read_workflow(document: str | Mapping[str, Any], *, slug: str | None = None) -> Flow:
    """Return the flow that a workflow document describes.

    Args:
        document: JSON or YAML, or the object that it stands for: `nodes`, `edges`, `metadata`.
        slug: The flow's slug, if the document has no name.

    Raises:
        InvalidFlow: With all that is wrong, each with its place in the document.
    """
    if isinstance(document, str):
        document = _object_in(document, slug)
    if not isinstance(document, Mapping) or not all(isinstance(key, str) for key in document):
        message = f"A workflow is an object with nodes and edges; got {shown(document)}."
        raise InvalidFlow(slug or "?", [Problem("not-an-object", "$", message)], KIND)
    beyond = problem_of(document)
    if beyond is not None:
        message = f"The document is refused: {beyond}."
        raise InvalidFlow(slug or "?", [Problem("value-beyond-limits", "$", message)], KIND)
    problems = Problems()
    try:
        flow = _read(document, slug, problems)
    except TooManyProblems:
        raise InvalidFlow(slug or "?", [*_in_order(problems), more_problems()], KIND) from None
    if problems.found:
        raise InvalidFlow(flow.slug, _in_order(problems), KIND)
    return flow


def _in_order(problems: Problems) -> list[Problem]:
    return sorted(dict.fromkeys(problems.found), key=_position)


def _position(problem: Problem) -> tuple[int, int]:
    """Return where in a document a problem stands, roughly: its nodes, then its edges."""
    found = _NUMBERED.match(problem.path)
    if found is None:
        return 0, 0
    return ("nodes", "edges").index(found[1]) + 1, int(found[2])


def _object_in(text: str, slug: str | None) -> Any:
    try:
        if text.lstrip()[:1] in ("{", "["):
            return read_json(text)
        documents = read_yaml(text)
    except Unreadable as reason:
        problem = Problem("unreadable-text", reason.place, str(reason))
        raise InvalidFlow(slug or "?", [problem], KIND) from None
    return documents[0] if len(documents) == 1 else documents


def _read(document: Mapping[str, Any], slug: str | None, problems: Problems) -> Flow:
    parts = with_decisions_apart(parts_of(document, problems), problems)
    routes = _routes(parts, problems)
    deps = links_of(parts.nodes, parts.edges, routes, problems)
    settings = settings_of(parts.metadata, problems)
    options = settings["options"]
    steps = [
        step_of(node, routes[id], deps[id], options, problems) for id, node in parts.nodes.items()
    ]
    flow = Flow(
        slug=_slug(parts.metadata, slug, problems),
        description=parts.metadata.description,
        **settings,
        tags=tags_of(parts.metadata, problems),
        steps=tuple(placed.step for placed in steps),
    )
    for problem in problems_of_flow(flow, steps, problems):
        problems.add(problem)
    return flow


def _routes(parts: Parts, problems: Problems) -> dict[str, Routes]:
    leaving: dict[str, list[PlacedEdge]] = {id: [] for id in parts.nodes}
    for edge in parts.edges:
        if edge.shape.from_ != edge.shape.to:
            leaving[edge.shape.from_].append(edge)
    return {
        id: routes_of(node, leaving[id], parts.nodes, problems) for id, node in parts.nodes.items()
    }


def _slug(metadata: Metadata, given: str | None, problems: Problems) -> str:
    if metadata.name is not None:
        slug = slugified(metadata.name)
        if slug:
            return slug
        message = (
            f"{shown(metadata.name)} has no letter or digit; a flow's name needs at least one."
        )
        problems.note("no-name", "metadata.name", message)
        return STAND_IN
    slug = slugified(given or "")
    if slug:
        return slug
    problems.note("no-name", "metadata.name", "The workflow has no name; add it.")
    return STAND_IN
