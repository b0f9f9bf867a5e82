"""What a subflow step returns can be picked from what its flow returns, as far as schemas tell."""

from collections.abc import Iterator

from dagster_pgflow.errors import Problem
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.steps import SubflowStep
from dagster_pgflow.validation.rule import KnownFlows
from dagster_pgflow.validation.types.outputs import Outputs, ReferableTypes, lost_references


def subflows_return_what_there_is(flow: Flow, known: KnownFlows) -> Iterator[Problem]:
    """Check the references of each output mapping against what the final steps return."""
    outputs = Outputs(known or {})
    for step in flow.steps:
        if isinstance(step, SubflowStep) and step.output is not None and step.flow != flow.slug:
            final = outputs.final_steps(step.flow)
            path = f"steps.{step.slug}.output"
            for place, sentence in lost_references(step.output, ReferableTypes(final), path):
                yield Problem("reference-leads-nowhere", place, sentence)
