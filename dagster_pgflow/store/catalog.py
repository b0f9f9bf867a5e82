"""The catalog: which flows there were at one moment, pinned by one number.

A watermark is a `version_id`. The flows as of watermark W are, for each slug, its newest version
with `version_id <= W`, unless that version says "deleted". What is read at a watermark never
changes, whatever is defined later: versions are immutable, and their ids become visible in order.

A definition that cannot be read costs its own flow: it is read alone, as text, and what is wrong
with it stands beside the slug.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import RowMapping

from dagster_pgflow.errors import InvalidFlow, Problem, UnknownFlow
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.store.database import Database
from dagster_pgflow.store.definition_text import flow_of_text


@dataclass(frozen=True)
class FlowHead:
    """Which version of a flow is the live one, without its definition.

    Attributes:
        slug: The flow.
        version: Counts the versions of this flow from 1.
        version_id: Counts the versions of all flows.
        tags: The tags of the flow, as it has them.
        is_scheduled: Whether it has a schedule that is not turned off.
    """

    slug: str
    version: int
    version_id: int
    tags: Mapping[str, str] = field(default_factory=dict)
    is_scheduled: bool = False


@dataclass(frozen=True)
class PinnedFlow:
    """A flow and the version that it is.

    Attributes:
        flow: The definition; without steps when it cannot be read.
        version: Counts the versions of this flow from 1.
        version_id: Counts the versions of all flows.
        subflow_versions: The version of each flow that a step of this one runs.
        problems: Why the definition cannot be read.
    """

    flow: Flow
    version: int
    version_id: int
    subflow_versions: Mapping[str, int] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()


class Catalog:
    """Reads flows as they were at a watermark."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def store_id(self) -> UUID:
        """Return the id of this store, which no other store that Dagster may use has."""
        store_id: UUID = self._database.fetch_value("fetch_store_id")
        return store_id

    def allow_tags(self, patterns: Sequence[str]) -> None:
        """Note which tags the code location lets out, for those who define flows."""
        self._database.execute("allow_tags", patterns=list(patterns))

    def watermark(self) -> int:
        """Return the newest version_id; 0 while no flow was ever defined."""
        return int(self._database.fetch_value("fetch_watermark"))

    def heads(self, watermark: int) -> tuple[FlowHead, ...]:
        """Return each flow that was live, by slug; it reads no definitions."""
        rows = self._database.fetch_all("fetch_heads", watermark=watermark)
        return tuple(
            FlowHead(
                row["flow_slug"],
                row["version"],
                row["version_id"],
                row["tags"],
                row["is_scheduled"],
            )
            for row in rows
        )

    def tree(self, flow_slug: str, watermark: int) -> dict[str, PinnedFlow]:
        """Return a flow and every flow that it contains, by slug, the flow itself first.

        A subflow that did not exist at the watermark is left out.

        Raises:
            UnknownFlow: The flow itself was not live at the watermark.
        """
        found = self.trees([flow_slug], watermark)
        if not found:
            raise UnknownFlow(flow_slug)
        return {flow_slug: found.pop(flow_slug), **found}

    def trees(self, flow_slugs: Iterable[str], watermark: int) -> dict[str, PinnedFlow]:
        """Return flows and every flow that these contain, by slug.

        What was not live at the watermark is left out.
        """
        slugs = list(flow_slugs)
        rows = self._database.fetch_all("fetch_trees", flow_slugs=slugs, watermark=watermark)
        return _pinned_flows(rows)

    def flows(self, watermark: int) -> dict[str, PinnedFlow]:
        """Return every flow that was live, by slug: for those who need all of them anyway."""
        return _pinned_flows(self._database.fetch_all("fetch_flows", watermark=watermark))


def _pinned_flows(rows: Sequence[RowMapping]) -> dict[str, PinnedFlow]:
    return {row["flow_slug"]: _pinned_flow(row) for row in rows}


def _pinned_flow(row: RowMapping) -> PinnedFlow:
    slug, version, version_id = row["flow_slug"], row["version"], row["version_id"]
    try:
        flow = flow_of_text(slug, row["definition"])
    except InvalidFlow as invalid:
        return PinnedFlow(Flow(slug=slug), version, version_id, problems=invalid.problems)
    return PinnedFlow(flow, version, version_id, row["subflow_versions"])
