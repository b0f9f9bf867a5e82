"""The Dagster type of everything that travels between steps: JSON."""

from typing import Any

import dagster as dg


@dg.dagster_type_loader(dg.Any)
def _load_json(context: object, value: Any) -> Any:  # noqa: ARG001  # Dagster passes it by name
    """Take run config as it is, so that the launchpad accepts any JSON, not only objects."""
    return value


class _JsonType(dg.DagsterType):
    """Dagster only lets types that say so receive several outputs as one list."""

    @property
    def supports_fan_in(self) -> bool:
        return True

    def get_inner_type_for_fan_in(self) -> dg.DagsterType:
        return self


def make_json_type() -> dg.DagsterType:
    """Return the type; one code location makes it once."""
    return _JsonType(
        name="JSON",
        description="Any JSON value: an object, a list, text, a number, true, false or null.",
        type_check_fn=lambda _context, _value: True,
        loader=_load_json,
    )
