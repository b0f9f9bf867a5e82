"""The parts of a document: what can be read of each node and edge, and all that cannot."""

import reprlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any, Final, TypeVar, cast

from pydantic import BaseModel, ValidationError

from dagster_pgflow.dsl.workflow.advice import advice, misspelt
from dagster_pgflow.dsl.workflow.shape import NODE_TYPES, Edge, Metadata, Node, Workflow
from dagster_pgflow.errors import MOST_PROBLEMS, Problem
from dagster_pgflow.names import SLUG_RULE, is_valid_slug, slugified

M = TypeVar("M", bound=BaseModel)
Place = tuple[str | int, ...]

MOST_COMPARED: Final = 1_000
"""In larger documents it takes too long to look for the node that may be meant."""

APART: Final = ("loop", "branch")
"""The fields of a node that are read on their own, rule by rule."""


class TooManyProblems(Exception):
    """Raised where one problem more than is reported would be noted."""


@dataclass
class Problems:
    """All that is wrong with a document, in the order in which it is found.

    Attributes:
        found: The problems.
        incomplete: The nodes at which something is missing, so that what seems wrong about how they
            hang together with others may not be.
    """

    found: list[Problem] = field(default_factory=list)
    incomplete: set[str] = field(default_factory=set)

    def note(self, code: str, path: str, message: str) -> None:
        """Add one."""
        self.add(Problem(code, path, message))

    def add(self, problem: Problem) -> None:
        """Add one.

        Raises:
            TooManyProblems: There are as many as are reported.
        """
        if len(self.found) >= MOST_PROBLEMS:
            raise TooManyProblems
        self.found.append(problem)


@dataclass(frozen=True)
class PlacedNode:
    """A node and where it stands.

    Attributes:
        id: Its id; something unique in place of one that is missing or taken.
        index: Its index in `nodes`.
        shape: What it says; what could not be read is left out.
        is_known: Whether its type could be read.
        loop: What it says it repeats, as it is written.
        branch: What it says about where the run goes on, as it is written.
    """

    id: str
    index: int
    shape: Node
    is_known: bool
    loop: Any = None
    branch: Any = None

    @property
    def place(self) -> str:
        """Where it stands."""
        return f"nodes[{self.index}]"

    @property
    def config(self) -> dict[str, Any]:
        """Its config, empty when there is none."""
        return self.shape.config or {}


@dataclass(frozen=True)
class PlacedEdge:
    """An edge and where it stands.

    Attributes:
        index: Its index in `edges`.
        shape: What it says.
    """

    index: int
    shape: Edge

    @property
    def place(self) -> str:
        """Where it stands."""
        return f"edges[{self.index}]"


@dataclass(frozen=True)
class Parts:
    """What could be read of a document.

    Attributes:
        nodes: The nodes by their ids.
        edges: The edges between two of them, in their order.
        metadata: What the workflow is.
    """

    nodes: dict[str, PlacedNode]
    edges: tuple[PlacedEdge, ...]
    metadata: Metadata


def parts_of(document: Mapping[str, Any], problems: Problems) -> Parts:
    """Take a document apart.

    Args:
        document: An object with nodes and edges.
        problems: Where to note what is wrong.
    """
    outside = {key: value for key, value in document.items() if key not in ("nodes", "edges")}
    placeholder = {"nodes": [{"id": "a", "type": "function"}]}
    whole = read(Workflow, {**outside, **placeholder}, (), problems) or Workflow.model_validate(
        placeholder
    )
    nodes = _nodes(_list_at("nodes", document.get("nodes", []), problems), problems)
    if document.get("nodes", []) == []:
        problems.note("no-nodes", "nodes", "A workflow has at least one node; add it.")
    edges = _edges(_list_at("edges", document.get("edges", []), problems), nodes, problems)
    given = whole.metadata or Metadata()
    for name, meant in misspelt(document.get("metadata")).items():
        problems.note("unknown-field", f"metadata.{name}", f'"{meant}" may be meant; rename it.')
    metadata = given.model_copy(
        update={
            "name": given.name if given.name is not None else whole.name,
            "description": given.description or whole.description or "",
            "version": given.version if given.version is not None else whole.version,
        }
    )
    return Parts(nodes, edges, metadata)


def read(
    model: type[M],
    given: Any,
    place: Place,
    problems: Problems,
    stand_ins: Mapping[str, Any] = MappingProxyType({}),
) -> M | None:
    """Return what can be read of a part; note what cannot.

    Args:
        model: What it should be.
        given: What stands there.
        place: Where it stands.
        problems: Where to note what is wrong.
        stand_ins: What to read in place of fields that are missing or wrong.

    Returns:
        The part without what is wrong in it, or `None` when nothing is left of it.
    """
    try:
        return model.model_validate(given)
    except ValidationError as error:
        wrong = error.errors(include_url=False)
    for details in wrong:
        problems.add(_problem(model, details, place))
    if not isinstance(given, dict):
        return None
    return _salvaged(model, given, [details["loc"] for details in wrong], stand_ins)


def path_of(place: Place) -> str:
    """Return a place as problems write it.

    >>> path_of(("nodes", 3, "config", "condition"))
    'nodes[3].config.condition'
    """
    path = ""
    for part in place:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else part
    return path or "$"


def shown(given: Any) -> str:
    """Return a value of a document as a sentence shows it."""
    return reprlib.repr(given)


def _nodes(given: list[Any], problems: Problems) -> dict[str, PlacedNode]:
    nodes: dict[str, PlacedNode] = {}
    for index, raw in enumerate(given):
        node = _node(index, raw, problems)
        if node.id in nodes:
            problems.note(
                "duplicate-id",
                f"{node.place}.id",
                f'nodes[{nodes[node.id].index}] is called "{node.id}" too; give one another id.',
            )
            problems.incomplete.add(node.id)
            node = replace(node, id=f"{node.id} ({node.place})")
        if not (node.is_known and is_valid_slug(node.id)):
            problems.incomplete.add(node.id)
        nodes[node.id] = node
    return nodes


def _node(index: int, raw: Any, problems: Problems) -> PlacedNode:
    place: Place = ("nodes", index)
    id = stand_in = f"(nodes[{index}])"
    if not isinstance(raw, dict):
        read(Node, raw, place, problems)
        return PlacedNode(id, index, Node(id=id, type="function"), is_known=False)
    mended = {key: part for key, part in raw.items() if key not in APART}
    kind, given = raw.get("type"), raw.get("id")
    is_known = isinstance(kind, str) and kind in NODE_TYPES
    if not is_known:
        _unknown_type(raw, f"nodes[{index}].type", problems)
        mended["type"] = "function"
    if isinstance(given, str):
        _judge_id(given, index, problems)
        id = given
    elif "id" in raw:
        mended["id"] = stand_in
        message = f"The id of a node is text; got {shown(given)}."
        problems.note("wrong-value", f"nodes[{index}].id", message)
    else:
        mended["id"] = stand_in
        problems.note("missing-field", f"nodes[{index}].id", "A node needs an id; add it.")
    node = read(Node, mended, place, problems) or Node(id=id, type=mended["type"])
    return PlacedNode(id, index, node, is_known, raw.get("loop"), raw.get("branch"))


def _unknown_type(raw: dict[str, Any], path: str, problems: Problems) -> None:
    known = ", ".join(NODE_TYPES)
    if "type" not in raw:
        message = f"The node has no type; give it one of: {known}."
    else:
        message = f"{shown(raw['type'])} is not a node type; use one of: {known}."
    problems.note("unknown-type", path, message)


def _judge_id(id: str, index: int, problems: Problems) -> None:
    if is_valid_slug(id):
        return
    path = f"nodes[{index}].id"
    meant = slugified(id)
    advice = f'; call it "{meant}", here and in the edges' if meant else ""
    problems.note("invalid-id", path, f"{shown(id)} is not a valid id: {SLUG_RULE}{advice}.")


def _edges(
    given: list[Any], nodes: Mapping[str, PlacedNode], problems: Problems
) -> tuple[PlacedEdge, ...]:
    edges: list[PlacedEdge] = []
    for index, raw in enumerate(given):
        edge = read(Edge, raw, ("edges", index), problems)
        if edge is None:
            continue
        lost = [(end, id) for end, id in (("from", edge.from_), ("to", edge.to)) if id not in nodes]
        for end, id in lost:
            unknown_node(id, f"edges[{index}].{end}", nodes, problems)
        if lost:
            problems.incomplete.update((edge.from_, edge.to))
        else:
            edges.append(PlacedEdge(index, edge))
    return tuple(edges)


def unknown_node(id: str, path: str, nodes: Mapping[str, PlacedNode], problems: Problems) -> None:
    """Note that something leads to a node that there is not."""
    near = get_close_matches(id, nodes, 1) if len(nodes) <= MOST_COMPARED else ()
    advice = f'"{near[0]}" may be meant' if near else "add it, or name another"
    problems.note("unknown-node", path, f"There is no node {shown(id)}; {advice}.")


def _list_at(name: str, given: Any, problems: Problems) -> list[Any]:
    if isinstance(given, list | tuple):
        return list(given)
    problems.note("wrong-value", name, f"Input should be a list; got {shown(given)}.")
    return []


def _problem(model: type[BaseModel], details: Mapping[str, Any], place: Place) -> Problem:
    path = path_of((*place, *details["loc"]))
    match details["type"]:
        case "extra_forbidden":
            message = f"There is no such field here; {advice(model, details['loc'])}."
            return Problem("unknown-field", path, message)
        case "missing":
            return Problem("missing-field", path, "This field is required; add it.")
        case "list_type":
            wanted = "Input should be a list"
        case "dict_type" | "model_type" | "model_attributes_type":
            wanted = "Input should be an object"
        case _:
            wanted = str(details["msg"])
    return Problem("wrong-value", path, f"{wanted}; got {shown(details['input'])}.")


def _salvaged(
    model: type[M], given: dict[str, Any], places: list[Place], stand_ins: Mapping[str, Any]
) -> M | None:
    """Return a part without what stands at some places, or nothing when that is no such part."""
    rest: Any = given
    for place in places:
        rest = _without(rest, place)
    # What lacks a field goes as a whole: the retry of a node, but not the node.
    wrong = {place[0] for place in places}
    left = {key: part for key, part in given.items() if key not in wrong}
    for candidate in ({**stand_ins, **rest}, {**stand_ins, **left}):
        try:
            return model.model_validate(candidate)
        except ValidationError:
            continue
    return None


def _without(value: Any, place: Place) -> Any:
    key, *inside = place
    if isinstance(value, dict) and key in value:
        if not inside:
            return {name: part for name, part in value.items() if name != key}
        return value | {cast("str", key): _without(value[key], tuple(inside))}
    return value
