"""The flows of one load of a code location: as of one watermark, loaded when asked for."""

from collections.abc import Iterator, Mapping

from dagster_pgflow.errors import InvalidFlow
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.step import SubflowStep
from dagster_pgflow.names import TAG_FLOW, TAG_STORE, TAG_VERSION, TAG_WATERMARK
from dagster_pgflow.store.catalog import Catalog, PinnedFlow


class PinnedFlows(Mapping[str, Flow]):
    """Flows by slug, as they were at a watermark.

    Which flows there are is one cheap query; a definition is read, with all that it contains,
    when it is first asked for. So a run worker reads its own flow and no other.

    Args:
        catalog: Where the flows are.
        watermark: The moment; 0 is that before there were any, for which nobody need be asked.
    """

    def __init__(self, catalog: Catalog, watermark: int) -> None:
        self.watermark = watermark
        self._catalog = catalog
        self._heads = {head.slug: head for head in catalog.heads(watermark)} if watermark else {}
        self._loaded: dict[str, PinnedFlow] = {}
        self._store_id = str(catalog.store_id()) if watermark else ""

    def __getitem__(self, slug: str) -> Flow:
        """Return a flow, reading it if need be.

        Raises:
            InvalidFlow: Its definition cannot be read.
        """
        found = self._pinned(slug)
        if found.problems:
            raise InvalidFlow(slug, found.problems)
        return found.flow

    def __iter__(self) -> Iterator[str]:
        """Yield the slugs."""
        return iter(self._heads)

    def __len__(self) -> int:
        """Return how many flows there are."""
        return len(self._heads)

    def __contains__(self, slug: object) -> bool:
        """Say whether there is such a flow, without reading it."""
        return slug in self._heads

    def load_all(self) -> None:
        """Read every definition in one query, for a code server, which needs them all."""
        self._loaded |= self._catalog.flows(self.watermark)

    def readable(self) -> dict[str, Flow]:
        """Return the flows whose definitions can be read."""
        found = {slug: self._pinned(slug) for slug in self}
        return {slug: pinned.flow for slug, pinned in found.items() if not pinned.problems}

    def tags(self, slug: str) -> dict[str, str]:
        """Return the tags that tell from a run which definitions it executes.

        The watermark among them is the newest version in the flow's tree: it pins the tree as
        well as the location's own watermark does, and changes only when the tree does.
        """
        head = self._heads[slug]
        newest = max(self._heads[contained].version_id for contained in self._tree(slug))
        return {
            TAG_FLOW: slug,
            TAG_VERSION: str(head.version),
            TAG_WATERMARK: str(newest),
            TAG_STORE: self._store_id,
        }

    def _pinned(self, slug: str) -> PinnedFlow:
        if slug not in self._heads:
            raise KeyError(slug)
        if slug not in self._loaded:
            self._loaded |= self._catalog.tree(slug, self.watermark)
        return self._loaded[slug]

    def _tree(self, slug: str) -> set[str]:
        """Return the slugs of a flow and of all that it contains, as far as they can be read."""
        found: set[str] = set()
        waiting = [slug]
        while waiting:
            current = waiting.pop()
            found.add(current)
            steps = self._pinned(current).flow.steps
            inner = {step.flow for step in steps if isinstance(step, SubflowStep)}
            waiting += [flow for flow in inner - found if flow in self]
        return found
