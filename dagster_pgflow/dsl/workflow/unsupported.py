"""What flows can say and workflow documents cannot."""

from collections.abc import Iterator
from typing import Final

from dagster_pgflow.errors import Problem
from dagster_pgflow.model.flow import Flow

CODE: Final = "not-in-documents"


def unsupported(flow: Flow) -> Iterator[Problem]:
    """Yield what no workflow document can say about a flow."""
    if not flow.steps:
        message = (
            "Workflow documents cannot express a flow without steps; add a step, or export the flow"
            " without --workflow."
        )
        yield Problem(CODE, "steps", message)
