"""What flows can say and workflow documents cannot."""

from collections.abc import Iterator
from typing import Final

from dagster_pgflow.errors import Problem
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.steps import SleepStep, WaitingStep

CODE: Final = "not-in-documents"


def unsupported(flow: Flow) -> Iterator[Problem]:
    """Yield what no workflow document can say about a flow."""
    if not flow.steps:
        message = (
            "Workflow documents cannot express a flow without steps; add a step, or export the flow"
            " without --workflow."
        )
        yield Problem(CODE, "steps", message)
    for step in flow.steps:
        if isinstance(step, WaitingStep | SleepStep):
            message = (
                f'Workflow documents cannot express step "{step.slug}" of type {step.type}; export'
                " the flow without --workflow."
            )
            yield Problem(CODE, f"steps.{step.slug}", message)
