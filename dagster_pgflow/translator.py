"""How flows show in Dagster: the one place to change names, tags, owners, kinds and the like.

A code location has one translator, and asks it wherever it makes something of Dagster from a flow.
Its methods get the flow as it is written. They must not depend on anything else, such as the time
or the environment: each process of a run asks them again, and must hear the same.
"""

from collections.abc import Mapping, Sequence

import dagster as dg

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.steps import HandledStep, Step
from dagster_pgflow.names import NODE_TYPE_PREFIX


class PgflowTranslator:
    """Says how flows and their steps show in Dagster; override what is to be different.

    A method that raises, or returns what Dagster cannot have, makes the job of that flow one that
    fails at once and says so. Other flows do not notice.

    Example:
        >>> class ByTeam(PgflowTranslator):
        ...     def get_owners(self, flow: Flow) -> Sequence[str]:
        ...         return [f"team:{flow.tags.get('team', 'data')}"]
    """

    def get_flow_description(self, flow: Flow) -> str:
        """Return what stands first on the page of a flow's job, as Markdown."""
        steps = "1 step" if len(flow.steps) == 1 else f"{len(flow.steps)} steps"
        told = f"Flow `{flow.slug}` with {steps}, stored in Postgres."
        return f"{flow.description}\n\n{told}" if flow.description else told

    def get_step_description(self, flow: Flow, step: Step) -> str:  # noqa: ARG002  for overriding
        """Return what stands first on the page of a step, as Markdown.

        Below it stands what the code location knows: the handler, attempts, conditions.
        """
        return step.description

    def get_flow_tags(self, flow: Flow) -> Mapping[str, str]:
        """Return the tags of a flow's job and runs, by key.

        As those of the flow itself they get the prefix `pgflow/`, unless the code location allows
        them (`allowed_tags`).
        """
        return flow.tags

    def get_step_tags(self, flow: Flow, step: Step) -> Mapping[str, str]:  # noqa: ARG002
        """Return further tags of a step's op, by key: as they are, orders to Dagster among them."""
        return {}

    def get_kinds(self, flow: Flow, step: Step) -> set[str]:  # noqa: ARG002  for overriding
        """Return the kinds of a step: the built-in node type that it runs, or else its type."""
        handler = step.handler if isinstance(step, HandledStep) else None
        if handler is not None and handler.startswith(NODE_TYPE_PREFIX) and step.type == "single":
            return {handler.removeprefix(NODE_TYPE_PREFIX)}
        return {step.type}

    def get_owners(self, flow: Flow) -> Sequence[str]:  # noqa: ARG002  for overriding
        """Return who owns a flow's job: email addresses, and teams such as `team:docs`."""
        return ()

    def get_group_name(self, flow: Flow) -> str | None:  # noqa: ARG002  for overriding
        """Return the group of the assets that a flow's steps make; without one, Dagster's own."""
        return None

    def get_asset_key(self, flow: Flow, step: Step, key: str) -> dg.AssetKey:  # noqa: ARG002
        """Return the key of an asset that a step names.

        Args:
            flow: The flow.
            step: The step.
            key: As the step has it, with `/` between the parts.
        """
        return dg.AssetKey(key.split("/"))
