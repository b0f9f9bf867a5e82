"""A handler that is named has a name."""

from collections.abc import Iterator

from dagster_pgflow.errors import Problem
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.steps import HandledStep
from dagster_pgflow.validation.rule import KnownFlows


def handlers_have_names(flow: Flow, _known: KnownFlows) -> Iterator[Problem]:
    """Check the handler that each step names, if it names one."""
    for step in flow.steps:
        if isinstance(step, HandledStep) and step.handler == "":
            yield Problem(
                "invalid-handler",
                f"steps.{step.slug}.handler",
                f'Step "{step.slug}" names a handler without a name; name one, or leave handler'
                f' out: then it is "{flow.slug}.{step.slug}" or "{step.slug}".',
            )
