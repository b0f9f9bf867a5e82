"""What holds for a whole flow, as the metadata of a document say it, and back."""

from collections.abc import Mapping
from typing import Any, Final

from dagster_pgflow.dsl.workflow.parts import Problems
from dagster_pgflow.dsl.workflow.retrying import (
    BY_DEFAULT,
    WRITTEN,
    options_said,
    policy,
    written_options,
)
from dagster_pgflow.dsl.workflow.shape import Metadata
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.options import FlowOptions, TryOptions

FIELDS: Final = ("input_schema", "output_schema", "merge_output", "schedules")
"""The fields of a flow that are called the same in metadata."""

LIMITS: Final = tuple(name for name in FlowOptions.model_fields if name not in WRITTEN)
"""Those of its options."""

_PLACES: Final[Mapping[str, str]] = {
    "slug": "metadata.name",
    "steps": "nodes",
    **{f"options.{name}": f"metadata.{written}" for name, written in WRITTEN.items()},
    **{f"options.{name}": f"metadata.{name}" for name in LIMITS},
}


def settings_of(metadata: Metadata, problems: Problems) -> dict[str, Any]:
    """Return the fields of a flow that its metadata say.

    Args:
        metadata: What holds for the workflow.
        problems: Where to note what is wrong.
    """
    said = options_said(metadata, BY_DEFAULT, "metadata", problems)
    limits = {name: getattr(metadata, name) for name in LIMITS}
    options = BY_DEFAULT.model_copy(update=said | limits)
    fields = {name: getattr(metadata, name) for name in FIELDS}
    return fields | {"schedules": tuple(metadata.schedules), "options": options}


def written_settings(flow: Flow) -> dict[str, Any]:
    """Return what metadata say of a flow."""
    fields = flow.model_dump(mode="json", include={*FIELDS}, exclude_defaults=True)
    limits = flow.options.model_dump(mode="json", include={*LIMITS}, exclude_defaults=True)
    holding = TryOptions.model_construct(**policy(flow.options))
    return fields | written_options(holding, policy(BY_DEFAULT)) | limits


def place_of(path: str, flow: Flow) -> str:
    """Return where in a document something stands that belongs to no step.

    Args:
        path: Its place in the flow.
        flow: The flow.
    """
    for index, schedule in enumerate(flow.schedules):
        written = f"schedules.{schedule.slug}"
        if path == written or path.startswith(f"{written}."):
            return f"metadata.schedules[{index}]{path[len(written) :]}"
    return _PLACES.get(path, f"metadata.{path}")
