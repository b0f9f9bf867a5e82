"""What an op reports, as metadata of Dagster's events: written and read here and nowhere else."""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from dagster_pgflow.errors import ValueNotJson
from dagster_pgflow.json_values.sealed import seal, unseal
from dagster_pgflow.names import OUTCOME_KEY


def reported(report: Mapping[str, Any]) -> dg.JsonMetadataValue:
    """Return a report as the metadata that stands under `OUTCOME_KEY`."""
    return dg.MetadataValue.json(seal(dict(report)))


def report_in(metadata: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the report among the metadata of an event; `None` when there is none to be read."""
    told = metadata.get(OUTCOME_KEY)
    if not isinstance(told, dg.JsonMetadataValue):
        return None
    try:
        report = unseal(told.value)
    except ValueNotJson:
        return None
    return report if isinstance(report, dict) else None
