"""The ways through a manifest, as a graph: what every check of ways begins with.

Its nodes are the cells that edges lead to, the joins and the terminals. The members of a join are
no nodes: whoever passes the join passes all of them. Edges that lead to nothing known are left out,
so that what is found in a graph holds whatever else is wrong with its manifest.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from dagster_pgflow.dsl.manifest.manifest import ENTRY, TERMINALS, UNLABELLED, Manifest


@dataclass(frozen=True)
class ManifestEdge:
    """One way on.

    Attributes:
        source: The cell or join that it leaves.
        label: Its label; `UNLABELLED` where it has none, `None` for the way that failures take
            from a cell of an error group.
        target: A cell, a join, or a terminal.
    """

    source: str
    label: str | None
    target: str

    def __str__(self) -> str:
        match self.label:
            case None:
                return f"{self.source} -(fails)-> {self.target}"
            case str() as label if label == UNLABELLED:
                return f"{self.source} -> {self.target}"
            case label:
                return f"{self.source} -({label})-> {self.target}"


@dataclass(frozen=True)
class Graph:
    """What leads where.

    Attributes:
        nodes: Cells and joins in the order in which they are written, and the terminals.
        leaving: The edges that leave each node, in the order in which they are written.
        members: The members of each join.
    """

    nodes: tuple[str, ...]
    leaving: Mapping[str, tuple[ManifestEdge, ...]]
    members: Mapping[str, tuple[str, ...]]

    @cached_property
    def entering(self) -> Mapping[str, tuple[ManifestEdge, ...]]:
        """The edges that lead to each node."""
        found: dict[str, list[ManifestEdge]] = {node: [] for node in self.nodes}
        for edges in self.leaving.values():
            for edge in edges:
                found[edge.target].append(edge)
        return {node: tuple(edges) for node, edges in found.items()}

    @cached_property
    def order(self) -> tuple[str, ...]:
        """What can be reached from the entry; each behind all that leads to it, loops aside."""
        if ENTRY not in self.leaving:
            return ()
        seen, behind = {ENTRY}, list[str]()
        ways = [(ENTRY, iter(self.leaving[ENTRY]))]
        while ways:
            node, edges = ways[-1]
            target = next((edge.target for edge in edges if edge.target not in seen), None)
            if target is None:
                behind.append(node)
                ways.pop()
            else:
                seen.add(target)
                ways.append((target, iter(self.leaving[target])))
        return tuple(reversed(behind))

    @cached_property
    def join_of(self) -> Mapping[str, str]:
        """The join that each member lies in: the first, where several name it."""
        found: dict[str, str] = {}
        for join, members in self.members.items():
            for member in members:
                found.setdefault(member, join)
        return found

    def node_of(self, cell: str) -> str:
        """Return the node that is passed with a cell: its join, or itself."""
        return self.join_of.get(cell, cell)


def graph_of(manifest: Manifest) -> Graph:
    """Return the ways through a manifest, which may be wrong in any other respect."""
    members = {name: join.cells for name, join in manifest.joins.items()}
    inside = {member for cells in members.values() for member in cells}
    nodes = tuple(
        dict.fromkeys(
            (*(cell for cell in manifest.cells if cell not in inside), *members, *TERMINALS)
        )
    )
    known = set(nodes)
    leaving: dict[str, tuple[ManifestEdge, ...]] = {}
    for node in nodes:
        edges = () if node in TERMINALS else _leaving(manifest, node)
        leaving[node] = tuple(edge for edge in edges if edge.target in known)
    return Graph(nodes, leaving, members)


def _leaving(manifest: Manifest, node: str) -> Iterator[ManifestEdge]:
    for label, target in manifest.edges.get(node, {}).items():
        yield ManifestEdge(node, label, target)
    if node in manifest.failure_targets:
        yield ManifestEdge(node, None, manifest.failure_targets[node])
