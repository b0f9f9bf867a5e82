"""Constraints hold on every way through a manifest: a question of what can be reached without what.

Ways are those from the entry to a terminal. Nothing walks them one by one: whether one of them
breaks a constraint is one search in the graph, and the way that is named is a shortest one.
"""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, assert_never

from dagster_pgflow.dsl.manifest.edge_checks import no_such
from dagster_pgflow.dsl.manifest.graph import Graph, ManifestEdge
from dagster_pgflow.dsl.manifest.manifest import ENTRY, TERMINALS, Constraint, Manifest
from dagster_pgflow.dsl.manifest.ways import shortest_way, way_in_words
from dagster_pgflow.errors import Problem

END: Final = "end"


def constraint_problems(
    manifest: Manifest, graph: Graph, *, is_whole: bool = True
) -> Iterator[Problem]:
    """Say which constraints a way breaks, and which one.

    Args:
        manifest: The manifest.
        graph: Its ways.
        is_whole: Whether all of its edges lead somewhere; else only names are looked at.
    """
    for constraint in manifest.constraints:
        unknown = [cell for cell in constraint.cells if cell not in manifest.cells]
        unknown = [cell for cell in unknown if cell not in manifest.joins]
        for cell in unknown:
            said = no_such("cell or join", cell, [*manifest.cells, *manifest.joins])
            yield Problem("unknown-cell", constraint.path, said)
        if unknown or not is_whole or ENTRY not in graph.leaving:
            continue
        broken = _broken(constraint, manifest, graph)
        if broken is not None:
            said, way = broken
            message = f"{said} on the way {way_in_words(way)}."
            yield Problem(constraint.kind, constraint.path, message)


def _broken(
    constraint: Constraint, manifest: Manifest, graph: Graph
) -> tuple[str, list[ManifestEdge]] | None:
    cells, nodes = constraint.cells, tuple(graph.node_of(cell) for cell in constraint.cells)
    match constraint.kind:
        case "must-follow":
            said = f'"{cells[1]}" does not come behind "{cells[0]}"'
            way = _not_followed(manifest, graph, cells[0], cells[1])
        case "must-precede":
            said = f'"{cells[0]}" does not come before "{cells[1]}"'
            way = _not_preceded(manifest, graph, cells[0], cells[1])
        case "never-together":
            said = f"More than one of {', '.join(cells)} lies"
            way = _together(graph, cells)
        case "always-reachable":
            said = f'"{cells[0]}" is left out'
            way = shortest_way(graph, [ENTRY], _is_end, lambda node: node != nodes[0])
        case _:
            assert_never(constraint.kind)
    return None if way is None else (said, way)


def _is_end(node: str) -> bool:
    return node == END


def _is_terminal(node: str) -> bool:
    return node in TERMINALS


def _not_followed(
    manifest: Manifest, graph: Graph, first: str, then: str
) -> list[ManifestEdge] | None:
    """Return a way that passes the one, and then reaches its end without the other."""
    node, behind = graph.node_of(first), graph.node_of(then)
    to_first = shortest_way(graph, [ENTRY], lambda found: found == node)
    if to_first is None or _in_order(manifest, graph, first, then):
        return None
    sources = [edge.target for edge in graph.leaving[node]] if node == behind else [node]
    rest = shortest_way(graph, sources, _is_terminal, lambda found: found != behind)
    if rest is None:
        return None
    if node == behind:
        reached = rest[0].source if rest else next(filter(_is_terminal, sources))
        to_first += [next(edge for edge in graph.leaving[node] if edge.target == reached)]
    return to_first + rest


def _not_preceded(
    manifest: Manifest, graph: Graph, cell: str, later: str
) -> list[ManifestEdge] | None:
    """Return a way to the one behind, on which the other was not passed before."""
    node, behind = graph.node_of(cell), graph.node_of(later)
    if _in_order(manifest, graph, cell, later):
        return None
    avoided = None if node == behind else node
    return shortest_way(graph, [ENTRY], lambda at: at == behind, lambda at: at != avoided)


def _in_order(manifest: Manifest, graph: Graph, first: str, then: str) -> bool:
    """Return whether each pass of the one is one of the other, in this order."""
    if first == then:
        return True
    join = graph.join_of.get(first)
    if join is None or graph.join_of.get(then) != join:
        return False
    members = manifest.joins[join].cells
    is_sequential = manifest.joins[join].strategy == "sequential"
    return is_sequential and members.index(first) < members.index(then)


def _together(graph: Graph, cells: Sequence[str]) -> list[ManifestEdge] | None:
    """Return a shortest way that passes two of several cells."""
    reached = set(graph.order)
    nodes = [graph.node_of(cell) for cell in dict.fromkeys(cells)]
    marked = {node for node in nodes if node in reached}
    twice = next((node for node in nodes if node in reached and nodes.count(node) > 1), None)
    if twice is not None:
        return shortest_way(graph, [ENTRY], twice.__eq__)
    return _way_past_two(graph, marked) if _any_leads_to_another(graph, marked) else None


def _any_leads_to_another(graph: Graph, marked: set[str]) -> bool:
    """Return whether a way leads from one of some nodes to another of them.

    One search from all of them at once: behind a node that two of them lead to, a third finds
    nothing that those do not find.
    """
    led_to: dict[str, set[str]] = {node: set() for node in graph.nodes}
    waiting = deque((node, node) for node in marked)
    while waiting:
        node, first = waiting.popleft()
        for edge in graph.leaving[node]:
            if edge.target in marked and edge.target != first:
                return True
            if first not in led_to[edge.target] and len(led_to[edge.target]) < 2:
                led_to[edge.target].add(first)
                waiting.append((edge.target, first))
    return False


def _way_past_two(graph: Graph, marked: set[str]) -> list[ManifestEdge]:
    """Return a shortest way that passes two of some nodes; there must be one."""
    start = (ENTRY, ENTRY if ENTRY in marked else None)
    came: dict[tuple[str, str | None], tuple[tuple[str, str | None], ManifestEdge] | None] = {
        start: None
    }
    waiting = deque([start])
    while waiting:
        place = waiting.popleft()
        for edge in graph.leaving[place[0]]:
            first = place[1] or (edge.target if edge.target in marked else None)
            if (edge.target, first) in came:
                continue
            came[edge.target, first] = (place, edge)
            if edge.target in marked and edge.target != first:
                return _steps(came, (edge.target, first))
            waiting.append((edge.target, first))
    return []


def _steps(
    came: Mapping[tuple[str, str | None], tuple[tuple[str, str | None], ManifestEdge] | None],
    place: tuple[str, str | None],
) -> list[ManifestEdge]:
    way: list[ManifestEdge] = []
    step = came[place]
    while step is not None:
        way.append(step[1])
        step = came[step[0]]
    return way[::-1]
