"""Which node waits for which, from edges and from what nodes name; and the shape of it all."""

from collections.abc import Mapping, Sequence

from dagster_pgflow.dsl.workflow.parts import PlacedEdge, PlacedNode, Problems, unknown_node
from dagster_pgflow.dsl.workflow.routes import Routes, WrittenLoop

Deps = dict[str, dict[str, str]]
"""For each node those that it waits for, and where that is written."""


def links_of(
    nodes: Mapping[str, PlacedNode],
    edges: Sequence[PlacedEdge],
    routes: Mapping[str, Routes],
    problems: Problems,
) -> Deps:
    """Return what each node waits for; an edge from a loop back to its first node is nothing.

    Args:
        edges: The edges between them.
        routes: Where the run goes on behind each node.
        problems: Where to note what is wrong.
    """
    deps: Deps = {id: {} for id in nodes}
    for edge in edges:
        before, behind = edge.shape.from_, edge.shape.to
        route = routes[before]
        if isinstance(route, WrittenLoop) and route.back_to == behind:
            continue
        if before == behind:
            _leads_to_itself(before, edge.place, problems)
        else:
            deps[behind].setdefault(before, edge.place)
    for id, route in routes.items():
        for behind, place in ({} if route is None else route.targets).items():
            if behind == id:
                _leads_to_itself(id, place, problems)
            else:
                deps[behind].setdefault(id, place)
    _link_failures(nodes, deps, problems)
    _judge_ends(nodes, deps, problems)
    _cut_cycles(deps, routes, problems)
    return deps


def _link_failures(nodes: Mapping[str, PlacedNode], deps: Deps, problems: Problems) -> None:
    """Have the nodes that failures lead to wait for what may fail."""
    for id, node in nodes.items():
        for name, behind in node.shape.failure_nodes().items():
            place = f"{node.place}.{name}"
            if behind not in nodes:
                unknown_node(behind, place, nodes, problems)
            elif behind == id:
                _leads_to_itself(id, place, problems)
            else:
                deps[behind].setdefault(id, place)


def _leads_to_itself(id: str, place: str, problems: Problems) -> None:
    if not any(found.path.startswith(place) for found in problems.found):
        message = f'"{id}" leads to itself; only a loop goes back, to its loop_back_to.'
        problems.note("leads-to-itself", place, message)


def _judge_ends(nodes: Mapping[str, PlacedNode], deps: Deps, problems: Problems) -> None:
    """Note that nothing begins or ends, and what cannot be reached."""
    if not nodes:
        return
    entries = [id for id, before in deps.items() if not before]
    awaited = {id for before in deps.values() for id in before}
    if len(awaited) == len(nodes):
        message = "Every node leads to another one, so the workflow never ends; remove edges."
        problems.note("no-terminal", "edges", message)
    if not entries:
        message = "Every node waits for another one, so nothing can begin; remove edges."
        problems.note("no-entry", "edges", message)
        return
    after = followers(deps)
    reached: set[str] = set()
    waiting = entries
    while waiting:
        id = waiting.pop()
        if id not in reached:
            reached.add(id)
            waiting += after[id]
    for id, node in nodes.items():
        if id not in reached:
            message = (
                f'Node "{id}" can never run: no route leads to it from a node where the workflow'
                " begins; add an edge, or remove the node."
            )
            problems.note("unreachable-node", node.place, message)


def followers(deps: Deps) -> dict[str, list[str]]:
    """Return for each node those that wait for it."""
    after: dict[str, list[str]] = {id: [] for id in deps}
    for id, before in deps.items():
        for dep in before:
            after[dep].append(id)
    return after


def _cut_cycles(deps: Deps, routes: Mapping[str, Routes], problems: Problems) -> None:
    """Note each edge that closes a cycle, and take it out."""
    after = followers(deps)
    done: set[str] = set()
    # First from where the workflow begins, so that the edge that goes back is the one reported.
    begins = sorted(deps, key=lambda id: bool(deps[id]))
    for begin in begins:
        if begin in done:
            continue
        path = {begin: iter(after[begin])}
        while path:
            id, rest = next(reversed(path.items()))
            behind = next(rest, None)
            if behind is None:
                path.popitem()
                done.add(id)
            elif behind in path:
                cycle = [*path][[*path].index(behind) :]
                _cut(deps, cycle, routes[id], problems)
            elif behind not in done:
                path[behind] = iter(after[behind])


def _cut(deps: Deps, cycle: Sequence[str], route: Routes, problems: Problems) -> None:
    """Take out the edge from the end of a cycle to its beginning.

    Args:
        deps: What each node waits for.
        cycle: The nodes, each of which leads to the next.
        route: Where the run goes on behind the last one.
        problems: Where to note what is wrong.
    """
    begin, end = cycle[0], cycle[-1]
    place = deps[begin].pop(end)
    problems.incomplete.add(begin)
    if route is not None and begin in route.targets:
        problems.incomplete.add(end)
    if isinstance(route, WrittenLoop) and route.back_to is None:
        return  # Where the loop goes back to could not be read; here, most likely.
    message = (
        f"Nodes wait for each other: {' -> '.join([*cycle, begin])}; only a loop goes back."
        " Remove the edge, or name the node in the loop_back_to of a loop."
    )
    problems.note("cycle", place, message)
