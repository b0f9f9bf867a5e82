"""What steps with a handler say of Dagster's assets: which they produce, and which they consume."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Final, TypedDict

from dagster_pgflow.expressions.references import with_steps_renamed
from dagster_pgflow.model.described import Examples
from dagster_pgflow.model.steps.fields import Argument, Host, in_a_tuple
from dagster_pgflow.model.steps.guarded import GuardedFields, GuardedStep

ASSETS: Final = Argument("the key of an asset, or a list of keys", in_a_tuple)


class AssetFields(TypedDict, total=False):
    """What a step may say of assets."""

    produces: Sequence[str] | str
    consumes: Sequence[str] | str
    partition: str


class AssetStepFields(GuardedFields, AssetFields, total=False):
    """What a step with a handler may say, its assets included."""


class AssetStep(GuardedStep):
    """A step that says which assets there are newly when it has completed, and from which.

    Attributes:
        produces: The keys of the assets that are materialized when it completes: parts with slashes
            between them, which may hold references as params do.
        consumes: The keys of the assets that it works from.
        partition: Which partition of what it produces that is; a template, too.
    """

    examples: ClassVar[Examples] = {
        "produces": ["orders/${$input.region}"],
        "consumes": ["raw/orders"],
        "partition": "$input.day",
    }

    produces: Annotated[tuple[str, ...], ASSETS] = ()
    consumes: Annotated[tuple[str, ...], ASSETS] = ()
    partition: str | None = None

    @property
    def asset_templates(self) -> dict[str, Any]:
        """What it says of assets, by the name of the field, without what it says nothing of."""
        said = {
            "produces": list(self.produces),
            "consumes": list(self.consumes),
            "partition": self.partition,
        }
        return {name: template for name, template in said.items() if template}

    def in_host(self, host: Host) -> dict[str, Any]:
        """Return the keys with the names of the host, besides all else."""
        said: dict[str, Any] = with_steps_renamed(self.asset_templates, host.names_for(self))
        fields = {name: tuple(one) if isinstance(one, list) else one for name, one in said.items()}
        return super().in_host(host) | fields

    def shown_work(self, flow_slug: str, versions: Mapping[str, int]) -> str:
        """Return what it does, from what, and what comes of it."""
        return ", ".join([super().shown_work(flow_slug, versions), *self._shown_assets()])

    def _shown_assets(self) -> Iterator[str]:
        if self.consumes:
            yield f"consumes {', '.join(self.consumes)}"
        if self.produces:
            yield f"produces {', '.join(self.produces)}"
        if self.partition is not None:
            yield f"partition {self.partition}"
