"""The Dagster types of what travels between steps, which is JSON, and of the inputs of flows."""

from typing import Any

import dagster as dg

from dagster_pgflow.compiler.input_config import input_config
from dagster_pgflow.compiler.launchpad import shown_example
from dagster_pgflow.json_values.limits import refuse_beyond_limits
from dagster_pgflow.json_values.sealed import unseal
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.steps.fields import JsonSchema
from dagster_pgflow.names import PGFLOW_KEY, REQUESTED_INPUT_KEY
from dagster_pgflow.runtime.requested import RequestedInputs


def _loader(config: Any) -> dg.DagsterTypeLoader:
    """Take run config as it is, so that the launchpad accepts any JSON, not only objects.

    What must not be run config, or is too large for it, comes in another form.
    """

    @dg.dagster_type_loader(config, required_resource_keys={PGFLOW_KEY})
    def load(context: dg.DagsterTypeLoaderContext, value: Any) -> Any:
        if isinstance(value, dict) and list(value) == [REQUESTED_INPUT_KEY]:
            requested: RequestedInputs = getattr(context.resources, PGFLOW_KEY)
            return requested.requested_input(str(value[REQUESTED_INPUT_KEY]))
        given = unseal(value)
        refuse_beyond_limits(given, "The input in the run config")
        return given

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
