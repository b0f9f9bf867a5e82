"""The loops of a manifest, and how they lie in each other.

A loop is a set of nodes from each of which each other one can be reached. It has to begin at one
node, the only one that edges from outside lead to; the edges from inside that lead there close it.
Without those edges, what is left of it may hold further loops, which lie in it.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from dagster_pgflow.dsl.manifest.graph import Graph, ManifestEdge
from dagster_pgflow.dsl.manifest.manifest import ENTRY


@dataclass(frozen=True)
class ManifestLoop:
    """Nodes that a run may pass again.

    Attributes:
        header: The node that it begins with, and the only one that can be reached from outside.
        back_edges: The edges that close it, in the order of their sources.
        body: All of its nodes, with the header and the bodies of loops that lie in it.
        parent: The header of the loop that it lies in, the innermost one.
        depth: In how many loops it lies.
    """

    header: str
    back_edges: tuple[ManifestEdge, ...]
    body: frozenset[str]
    parent: str | None
    depth: int


@dataclass(frozen=True)
class Tangle:
    """A loop that can be entered at several nodes, so that nobody can say what a pass of it is.

    Attributes:
        entries: The nodes.
        back_edges: For each entry an edge from inside that leads back to it.
    """

    entries: tuple[str, ...]
    back_edges: tuple[ManifestEdge, ...]


@dataclass(frozen=True)
class Loops:
    """All loops that can be reached from the entry.

    Attributes:
        loops: By their headers; each behind the loop that it lies in.
        tangles: What are no loops; what lies in them is not looked at.
    """

    loops: dict[str, ManifestLoop]
    tangles: tuple[Tangle, ...]

    def innermost(self) -> dict[str, str]:
        """Return, for each node that lies in a loop, the header of the innermost one."""
        return {node: loop.header for loop in self.loops.values() for node in loop.body}


def loops_of(graph: Graph) -> Loops:
    """Return the loops of a graph: a pass over what lies in loops for each level of them."""
    place = {node: number for number, node in enumerate(graph.order)}
    entering = {
        node: [edge for edge in graph.entering[node] if edge.source in place] for node in place
    }
    loops: dict[str, ManifestLoop] = {}
    tangles: list[Tangle] = []
    closed: set[ManifestEdge] = set()
    waiting: deque[tuple[Sequence[str], str | None, int]] = deque([(graph.order, None, 0)])
    while waiting:
        nodes, parent, depth = waiting.popleft()
        for body in _Cycles(graph, nodes, closed):
            inside = sorted(body, key=place.__getitem__)
            entries = [node for node in inside if _is_entered(node, entering[node], body)]
            back = [_closing(entering[node], body, place) for node in entries]
            if len(entries) > 1:
                tangles.append(Tangle(tuple(entries), tuple(edges[0] for edges in back)))
                continue
            loops[entries[0]] = ManifestLoop(entries[0], back[0], frozenset(body), parent, depth)
            closed.update(back[0])
            waiting.append((inside, entries[0], depth + 1))
    return Loops(loops, tuple(tangles))


def _is_entered(node: str, entering: Iterable[ManifestEdge], body: set[str]) -> bool:
    return node == ENTRY or any(edge.source not in body for edge in entering)


def _closing(
    entering: Iterable[ManifestEdge], body: set[str], place: dict[str, int]
) -> tuple[ManifestEdge, ...]:
    edges = [edge for edge in entering if edge.source in body]
    return tuple(sorted(edges, key=lambda edge: place[edge.source]))


class _Cycles:
    """Finds the sets of nodes, as large as can be, from each of which all others are reached.

    Tarjan's algorithm without recursion, over some of the nodes and without some of the edges.
    """

    def __init__(self, graph: Graph, nodes: Sequence[str], closed: set[ManifestEdge]) -> None:
        self._graph = graph
        self._nodes = nodes
        self._within = frozenset(nodes)
        self._closed = closed
        self._number: dict[str, int] = {}
        self._lowest: dict[str, int] = {}
        self._open: dict[str, None] = {}
        self._ways: list[tuple[str, Iterator[str]]] = []

    def __iter__(self) -> Iterator[set[str]]:
        for root in self._nodes:
            if root not in self._number:
                self._enter(root)
            while self._ways:
                node, ahead = self._ways[-1]
                target = next(ahead, None)
                if target is None:
                    yield from self._leave(node)
                elif target not in self._number:
                    self._enter(target)
                elif target in self._open:
                    self._lowest[node] = min(self._lowest[node], self._number[target])

    def _targets(self, node: str) -> Iterator[str]:
        for edge in self._graph.leaving[node]:
            if edge.target in self._within and edge not in self._closed:
                yield edge.target

    def _enter(self, node: str) -> None:
        self._number[node] = self._lowest[node] = len(self._number)
        self._open[node] = None
        self._ways.append((node, self._targets(node)))

    def _leave(self, node: str) -> Iterator[set[str]]:
        self._ways.pop()
        if self._ways:
            outer = self._ways[-1][0]
            self._lowest[outer] = min(self._lowest[outer], self._lowest[node])
        if self._lowest[node] < self._number[node]:
            return
        body: set[str] = set()
        while node not in body:
            body.add(self._open.popitem()[0])
        if len(body) > 1 or node in self._targets(node):
            yield body
