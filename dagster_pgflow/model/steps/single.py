"""The single step: it runs once."""

from typing import Any, ClassVar, Literal

from dagster_pgflow.model.steps.data_map import DataMapFields, KeepingStep
from dagster_pgflow.model.steps.fields import Host
from dagster_pgflow.model.steps.hooked import HookedFields, HookedStep
from dagster_pgflow.names import NAMES_KEY


class SingleFields(HookedFields, DataMapFields, total=False):
    """What a single step may say besides."""


class SingleStep(KeepingStep, HookedStep):
    """A step that runs once."""

    builder: ClassVar[str] = "step"

    type: Literal["single"] = "single"

    def in_host(self, host: Host) -> dict[str, Any]:
        """Keep the names by which the handler knows its dependencies: it receives them by name."""
        fields = super().in_host(host)
        known = host.known_names(self)
        return fields | {"params": fields["params"] | ({NAMES_KEY: known} if known else {})}
