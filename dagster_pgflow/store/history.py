"""The versions that a flow has had."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from dagster_pgflow.errors import UnknownFlow
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.store.database import Database
from dagster_pgflow.store.definition_text import flow_of_text


@dataclass(frozen=True)
class FlowVersion:
    """A version of a flow.

    Attributes:
        version: Counts the versions of this flow from 1.
        version_id: Counts the versions of all flows.
        created_at: When it was published.
        flow: The definition; none when this version says that the flow was deleted.
        subflow_versions: The version of each flow that a step of this one runs, by slug.
    """

    version: int
    version_id: int
    created_at: datetime
    flow: Flow | None
    subflow_versions: Mapping[str, int] = field(default_factory=dict)


class FlowHistory:
    """Reads what flows were like."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def versions(self, flow_slug: str, limit: int | None = None) -> tuple[FlowVersion, ...]:
        """Return the versions of a flow, the newest first; also of one that was deleted.

        Args:
            limit: How many at most.

        Raises:
            UnknownFlow: There never was such a flow.
        """
        rows = self._database.fetch_all("fetch_flow_history", flow_slug=flow_slug, limit=limit)
        if not rows:
            raise UnknownFlow(flow_slug)
        return tuple(
            FlowVersion(
                row["version"],
                row["version_id"],
                row["created_at"],
                None if row["definition"] is None else flow_of_text(flow_slug, row["definition"]),
                row["subflow_versions"],
            )
            for row in rows
        )

    def subflow_versions(self, flow_slug: str, version: int) -> dict[str, int]:
        """Return the version of each flow that a version of a flow runs, by slug."""
        found: dict[str, int] | None = self._database.fetch_value(
            "fetch_subflow_versions", flow_slug=flow_slug, version=version
        )
        return found or {}

    def newest_version(self, flow_slug: str) -> int:
        """Return the number of the newest version of a flow.

        Raises:
            UnknownFlow: There never was such a flow.
        """
        version: int | None = self._database.fetch_value(
            "fetch_newest_version", flow_slug=flow_slug
        )
        if version is None:
            raise UnknownFlow(flow_slug)
        return version
