"""Ways as their author means them, where edges lead to names that there are not."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from dagster_pgflow.dsl.manifest.edge_checks import MOST_COMPARED
from dagster_pgflow.dsl.manifest.graph import Graph, graph_of
from dagster_pgflow.dsl.manifest.manifest import ENTRY, TERMINALS, UNREAD, Manifest
from dagster_pgflow.validation.types.json_type import nearest


def meant_graph(manifest: Manifest) -> Graph:
    """Return the ways of a manifest in which an unknown target stands for the one that is meant.

    A member of a join stands for the join. What comes close to no name may be a cell that nothing
    else leads to, as long as there are no more such cells than such targets.
    """
    join_of = {cell: name for name, join in manifest.joins.items() for cell in join.cells}
    nodes = [name for name in (*manifest.cells, *manifest.joins) if name not in join_of]
    meant = {target: target for target in (*nodes, *TERMINALS, UNREAD)} | join_of
    for target in _targets(manifest):
        if target not in meant:
            near = nearest(target, [*nodes, *TERMINALS]) if len(nodes) <= MOST_COMPARED else None
            meant[target] = near or target
    strange = {target for target in meant.values() if target not in (*nodes, *TERMINALS, UNREAD)}
    led_to = {meant[target] for target in _targets(manifest)}
    lost = [name for name in nodes if name not in led_to and name != ENTRY]
    edges = {
        source: {label: meant[target] for label, target in labels.items()}
        for source, labels in manifest.edges.items()
    }
    if len(lost) <= len(strange):
        _lead(edges, strange, lost)
    return graph_of(replace(manifest, edges=edges))


def _lead(edges: Mapping[str, dict[str, str]], strange: set[str], lost: list[str]) -> None:
    """Let each way to a strange target lead to all cells that nothing leads to."""
    for labels in edges.values():
        if not strange.isdisjoint(labels.values()):
            labels.update({f"{number} {name}": name for number, name in enumerate(lost)})


def _targets(manifest: Manifest) -> Iterator[str]:
    for labels in manifest.edges.values():
        yield from labels.values()
