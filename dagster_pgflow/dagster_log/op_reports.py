"""Where reports stand in Dagster: among the metadata of its events, under one key."""

from collections.abc import Callable, Mapping
from typing import Any

import dagster as dg

from dagster_pgflow.json_values.sealed import seal, unseal
from dagster_pgflow.names import REPORT_KEY, RESULT_OUTPUT
from dagster_pgflow.reports import from_json, to_json
from dagster_pgflow.reports.report import OpReport
from dagster_pgflow.step_errors import ValueNotJson

Cleaned = Callable[[Any], Any]
"""Makes JSON of JSON, such as what PostgreSQL can hold."""


def reported(report: OpReport) -> dict[str, dg.JsonMetadataValue]:
    """Return a report as metadata."""
    return {REPORT_KEY: dg.MetadataValue.json(seal(to_json(report)))}


def unchanged(data: Any) -> Any:
    """Return JSON as it is."""
    return data


def report_in(metadata: Mapping[str, Any], cleaned: Cleaned = unchanged) -> OpReport | None:
    """Return the report among the metadata of an event; `None` when there is none.

    Args:
        metadata: The metadata.
        cleaned: What its JSON is changed to before it is read.

    Raises:
        UnreadableReport: There is one, and it makes no sense.
    """
    value = metadata.get(REPORT_KEY)
    if not isinstance(value, dg.JsonMetadataValue):
        return None
    try:
        data = unseal(value.value)
    except ValueNotJson:
        return None
    return from_json(cleaned(data)) if isinstance(data, dict) else None


def report_of_output(event: dg.DagsterEvent) -> OpReport | None:
    """Return what an op reports with its output; `None` where an event is no such output."""
    if not event.is_successful_output or event.step_output_data.output_name != RESULT_OUTPUT:
        return None
    return report_in(event.step_output_data.metadata)
