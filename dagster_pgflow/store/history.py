"""The versions that a flow has had."""

from dataclasses import dataclass
from datetime import datetime

from dagster_pgflow.errors import UnknownFlow
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.store.database import Database
from dagster_pgflow.validation.validate import parse_flow


@dataclass(frozen=True)
class FlowVersion:
    """A version of a flow.

    Attributes:
        version: Counts the versions of this flow from 1.
        version_id: Counts the versions of all flows.
        created_at: When it was published.
        flow: The definition; none when this version says that the flow was deleted.
    """

    version: int
    version_id: int
    created_at: datetime
    flow: Flow | None


class FlowHistory:
    """Reads what flows were like.

    Args:
        database: The store.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def versions(self, flow_slug: str, limit: int | None = None) -> tuple[FlowVersion, ...]:
        """Return the versions of a flow, the newest first; also of one that was deleted.

        Args:
            flow_slug: The flow.
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
                None if row["definition"] is None else parse_flow(row["definition"]),
            )
            for row in rows
        )

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
