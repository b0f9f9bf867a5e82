"""The Dagster types of what travels between steps, which is JSON, and of the inputs of flows."""

from typing import Any

import dagster as dg

from dagster_pgflow.compiler.input_config import input_config
from dagster_pgflow.compiler.launchpad import shown_example
from dagster_pgflow.json_values.sealed import unseal
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.step import JsonSchema


def _loader(config: Any) -> dg.DagsterTypeLoader:
    """Take run config as it is, so that the launchpad accepts any JSON, not only objects."""

    @dg.dagster_type_loader(config)
    def load(context: object, value: Any) -> Any:  # noqa: ARG001  # Dagster passes it by name
        return unseal(value)

    return load


class _JsonType(dg.DagsterType):
    """Dagster only lets types that say so receive several outputs as one list."""

    @property
    def supports_fan_in(self) -> bool:
        return True

    def get_inner_type_for_fan_in(self) -> dg.DagsterType:
        return self


def make_json_type() -> dg.DagsterType:
    """Return the type of everything; one code location makes it once."""
    return _JsonType(
        name="JSON",
        description="Any JSON value: an object, a list, text, a number, true, false or null.",
        type_check_fn=lambda _context, _value: True,
        loader=_loader(dg.Any),
    )


def make_input_type(flow: Flow, schema: JsonSchema) -> dg.DagsterType:
    """Return the type of a flow's input; one code location makes it once.

    Args:
        flow: The flow.
        schema: Its input schema.
    """
    return _JsonType(
        # No two types may have one name.
        name=f"Input of {flow.slug}",
        description=shown_example(flow) or None,
        type_check_fn=lambda _context, _value: True,
        loader=_loader(input_config(schema)),
    )
