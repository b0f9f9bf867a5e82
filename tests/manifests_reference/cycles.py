"""The loops of a manifest, found by asking what can be left out: nothing is quick here.

An edge closes a loop when the cell that it leads to lies on every way from the entry to the cell
that it leaves.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from dagster_pgflow.dsl.manifest.manifest import ENTRY, Manifest


@dataclass(frozen=True)
class Cycles:
    """Which edges close which loops.

    Attributes:
        edges: By the cell that a loop begins with, its closing edges as cell and label.
        sources: The cells that close it, also those whose failures do.
    """

    edges: Mapping[str, frozenset[tuple[str, str]]]
    sources: Mapping[str, frozenset[str]]

    def is_closed_by(self, source: str, target: str) -> bool:
        """Return whether a way from one cell to another closes a loop."""
        return source in self.sources.get(target, ())

    def headed_by(self, cell: str) -> list[str]:
        """Return the loop that begins with a cell, if there is one."""
        return [cell] if cell in self.sources else []

    def closing(self, header: str) -> frozenset[tuple[str, str]]:
        """Return the edges that close a loop."""
        return self.edges.get(header, frozenset())


def cycles_of(manifest: Manifest) -> Cycles:
    """Return the loops of a sound manifest."""
    ways = [
        (source, label, target)
        for source, edges in manifest.edges.items()
        for label, target in edges.items()
    ]
    for group in manifest.error_groups.values():
        ways += [(cell, "", group.on_error) for cell in group.cells]
    leads = [(source, target) for source, _, target in ways]
    edges: dict[str, set[tuple[str, str]]] = {}
    sources: dict[str, set[str]] = {}
    for source, label, target in ways:
        if source not in _reached(leads, without=target):
            edges.setdefault(target, set()).add((source, label))
            sources.setdefault(target, set()).add(source)
    return Cycles(
        {header: frozenset(found) for header, found in edges.items()},
        {header: frozenset(found) for header, found in sources.items()},
    )


def _reached(leads: list[tuple[str, str]], without: str) -> set[str]:
    """Return what can be reached from the entry without passing a cell."""
    reached = {ENTRY} - {without}
    while True:
        found = {to for at, to in leads if at in reached} - reached - {without}
        if not found:
            return reached
        reached |= found
