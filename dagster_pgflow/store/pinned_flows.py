"""The flows of one load of a code location: as of one watermark, loaded when asked for."""

from collections.abc import Collection, Iterator, Mapping

from dagster_pgflow.errors import InvalidFlow
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.steps import SubflowStep
from dagster_pgflow.names import TAG_FLOW, TAG_STORE, TAG_VERSION, TAG_WATERMARK
from dagster_pgflow.store.catalog import Catalog, FlowHead, PinnedFlow


class PinnedFlows(Mapping[str, Flow]):
    """Flows by slug, as they were at a watermark.

    Which flows there are is one cheap query; a definition is read, with all that it contains,
    when it is first asked for. So a run worker reads its own flow and no other.

    Args:
        catalog: Where the flows are.
        watermark: The moment; 0 is that before there were any, for which nobody need be asked.
        only: A flow: then there are only this one and those that it contains, and how many others
            are stored costs nothing.

    Raises:
        UnknownFlow: There was no such flow at the watermark.
    """

    def __init__(self, catalog: Catalog, watermark: int, only: str | None = None) -> None:
        self.watermark = watermark
        self._catalog = catalog
        self._loaded: dict[str, PinnedFlow] = catalog.tree(only, watermark) if only else {}
        self._heads = {
            slug: FlowHead(slug, pinned.version, pinned.version_id)
            for slug, pinned in self._loaded.items()
        }
        if watermark and not only:
            self._heads = {head.slug: head for head in catalog.heads(watermark)}
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
        """Return whether there is such a flow, without reading it."""
        return slug in self._heads

    def heads(self) -> Collection[FlowHead]:
        """Return which flows there are, without reading them."""
        return self._heads.values()

    def load(self, slugs: Collection[str]) -> None:
        """Read flows, with all that they contain, in one query, for who needs so many."""
        if len(slugs) == len(self._heads):
            self._loaded |= self._catalog.flows(self.watermark)
        elif slugs:
            self._loaded |= self._catalog.trees(slugs, self.watermark)

    def readable(self, slugs: Collection[str]) -> dict[str, Flow]:
        """Return those of these flows whose definitions can be read."""
        found = {slug: self._pinned(slug) for slug in slugs}
        return {slug: pinned.flow for slug, pinned in found.items() if not pinned.problems}

    def tags(self, slug: str) -> dict[str, str]:
        """Return the tags of a run that say which definitions it executes.

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
