"""Ways through a manifest: the shortest ones, all of them, and how a sentence shows one."""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from dagster_pgflow.dsl.manifest.graph import Graph, ManifestEdge
from dagster_pgflow.dsl.manifest.manifest import ENTRY

_MOST_SHOWN: Final = 12


def way_in_words(way: Sequence[ManifestEdge], start: str = ENTRY) -> str:
    """Return a way as a sentence shows it; of a long one the middle is left out.

    >>> way_in_words([ManifestEdge("start", "", "charge"), ManifestEdge("charge", "paid", "end")])
    'start -> charge -(paid)-> end'
    """
    if not way:
        return start
    words = [str(way[0]), *(str(edge).removeprefix(edge.source).lstrip() for edge in way[1:])]
    if len(words) > _MOST_SHOWN:
        half = _MOST_SHOWN // 2
        words = [*words[:half], "...", *words[-half:]]
    return " ".join(words)


def shortest_way(
    graph: Graph,
    sources: Iterable[str],
    targets: Callable[[str], bool],
    passes: Callable[[str], bool] = lambda _: True,
) -> list[ManifestEdge] | None:
    """Return a way with as few edges as there can be, or nothing.

    Args:
        graph: What leads where.
        sources: Where it may begin.
        targets: Whether it may end at a node.
        passes: Whether it may touch a node, its beginning and its end among them.
    """
    came: dict[str, ManifestEdge | None] = {node: None for node in sources if passes(node)}
    waiting = deque(came)
    while waiting:
        node = waiting.popleft()
        if targets(node):
            return _way_to(node, came)
        for edge in graph.leaving[node]:
            if edge.target not in came and passes(edge.target):
                came[edge.target] = edge
                waiting.append(edge.target)
    return None


def _way_to(node: str, came: dict[str, ManifestEdge | None]) -> list[ManifestEdge]:
    way: list[ManifestEdge] = []
    edge = came[node]
    while edge is not None:
        way.append(edge)
        edge = came[edge.source]
    return way[::-1]
