"""The flows of a store as a component: `dg scaffold defs dagster_pgflow.PgflowComponent flows`."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import dagster as dg
from pydantic import Field

from dagster_pgflow.components.named import named_module, named_object
from dagster_pgflow.components.scaffolder import PgflowScaffolder
from dagster_pgflow.errors import ConfigurationError
from dagster_pgflow.flow_resource import PgflowResource
from dagster_pgflow.load_defs import UNSEEN_PREFIX, definitions_of
from dagster_pgflow.location.only_one import ensure_only_one
from dagster_pgflow.location.settings import LocationSettings

_EXECUTORS: Mapping[str, dg.ExecutorDefinition] = {
    "in_process": dg.in_process_executor,
    "multiprocess": dg.multiprocess_executor,
}


@dg.scaffold_with(PgflowScaffolder)
class PgflowComponent(dg.Component, dg.Resolvable, dg.Model):
    """Flows that live in PostgreSQL, each a job: defined and started at run time.

    A project has at most one such component.
    """

    handlers: Sequence[str] = Field(
        default=(),
        description="Modules with what steps do. `.handlers` is one beside this file.",
        examples=[[".handlers"], ["shop.handlers", "shop.more_handlers"]],
    )
    database: Annotated[
        str | None,
        # As it is written, so that whoever shows the attributes of the component shows no secret.
        dg.Resolver(
            lambda _context, given: given,
            model_field_type=str | None,
            inject_before_resolve=False,
        ),
    ] = Field(
        default=None,
        description="The address of the PostgreSQL that has the flows. Without it"
        " PGFLOW_DATABASE_URL says it, else they are in the embedded PostgreSQL.",
        examples=["{{ env.SHOP_DATABASE_URL }}"],
    )
    jobs: str = Field(
        default="all",
        description='Which flows are jobs: "all", "tagged", or a function such as `.choice.mine`'
        " that gets the head of a flow and says so. The others run as well.",
        examples=["tagged", "shop.choice.mine"],
    )
    job_prefix: str = Field(
        default=UNSEEN_PREFIX,
        description="What the names of the flows' jobs and schedules begin with, so that they are"
        " none of yours.",
    )
    asset_specs: bool = Field(
        default=False,
        description="Whether the assets that flows produce stand in lineage. The project does not"
        " load if one of its own has the key of such an asset.",
    )
    executor: str = Field(
        default="in_process",
        description='What runs the steps of a run: "in_process", "multiprocess", or an executor'
        " such as `shop.executors.k8s`.",
    )
    executor_config: Mapping[str, Any] | None = Field(
        default=None, description="The config of the executor.", examples=[{"max_concurrent": 4}]
    )
    translator: str | None = Field(
        default=None,
        description="A class below PgflowTranslator that says how flows show in Dagster.",
        examples=[".translator.OfTeams"],
    )
    resources: Mapping[str, str] = Field(
        default={},
        description="The resources that handlers get as `ctx.resources`, by key.",
        examples=[{"mail": "shop.resources.mail"}],
    )
    resource_key: str | None = Field(
        default=None,
        description="Under which key assets, ops and sensors of the project get a PgflowResource"
        " of the same database; without it they get none.",
        examples=["pgflow"],
    )
    allowed_tags: Sequence[str] = Field(
        default=(), description="The tags that flows may give to their runs as they are."
    )
    name: str = Field(
        default="pgflow", description="What the names of the sensors that come with it begin with."
    )

    @classmethod
    def get_spec(cls) -> dg.ComponentTypeSpec:
        """Return what `dg list components` tells."""
        return dg.ComponentTypeSpec(
            description="Flows that live in PostgreSQL, each a job.", tags=["postgres"]
        )

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """Return the jobs, sensors and schedules of the flows."""
        place = context.component_path.get_relative_key(context.project_root)
        flows = definitions_of(None, self._settings(context))
        ensure_only_one(f"the component {place}")
        if self.resource_key is None:
            return flows
        resource = PgflowResource(database_url=self._database_url(context))
        return dg.Definitions.merge(flows, dg.Definitions(resources={self.resource_key: resource}))

    def _settings(self, context: dg.ComponentLoadContext) -> LocationSettings:
        package = context.defs_relative_module_name(context.path)
        settings: LocationSettings = {
            "name": self.name,
            "handlers": [named_module(name, package, "handlers") for name in self.handlers],
            "executor": self._executor(package),
            "job_prefix": self.job_prefix,
            "asset_specs": self.asset_specs,
            "allowed_tags": self.allowed_tags,
            "resources": {
                key: named_object(name, package, f"resources.{key}")
                for key, name in self.resources.items()
            },
            "jobs": self.jobs  # type: ignore[typeddict-item]
            if self.jobs in ("all", "tagged")
            else named_object(self.jobs, package, "jobs"),
        }
        if (url := self._database_url(context)) is not None:
            settings["database_url"] = url
        if self.translator is not None:
            found = named_object(self.translator, package, "translator")
            settings["translator"] = found() if isinstance(found, type) else found
        return settings

    def _database_url(self, context: dg.ComponentLoadContext) -> str | None:
        """Return the address that the YAML says; one that comes to nothing is a mistake."""
        if self.database is None:
            return None
        found: object = context.resolution_context.resolve_value(self.database)
        if not found:
            raise ConfigurationError(
                f"database is {self.database}, and that is empty; set what it stands for, or leave"
                " database out: then PGFLOW_DATABASE_URL says where the flows are, else the"
                " embedded PostgreSQL has them."
            )
        return str(found)

    def _executor(self, package: str) -> dg.ExecutorDefinition:
        known = _EXECUTORS.get(self.executor)
        found = known or named_object(self.executor, package, "executor")
        if not isinstance(found, dg.ExecutorDefinition):
            raise ConfigurationError(
                f'executor is "{self.executor}", and that is no executor of Dagster.'
            )
        if self.executor_config is None:
            return found
        return found.configured(dict(self.executor_config), name=found.name)
