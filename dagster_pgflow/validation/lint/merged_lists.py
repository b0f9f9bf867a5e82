"""What is merged into one object is no list."""

from collections.abc import Iterator

from dagster_pgflow.errors import Problem
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.graph import by_slug, leaves
from dagster_pgflow.model.steps import MapStep, Step, SubflowStep
from dagster_pgflow.model.steps.data_map import merges_input
from dagster_pgflow.validation.rule import KnownFlows


def no_list_is_merged(flow: Flow, _known: KnownFlows) -> Iterator[Problem]:
    """Look for steps that return a list where objects are laid over each other."""
    steps = by_slug(flow)
    for step in flow.steps:
        for dep in step.depends_on if merges_input(step) else ():
            if _returns_list(steps.get(dep)):
                yield Problem(
                    "list-is-merged",
                    f"steps.{step.slug}.merge_input",
                    f'Step "{step.slug}" merges what its dependencies return, and "{dep}" returns a'
                    " list, so it always fails; put a step between them that makes an object of"
                    " the list.",
                )
    for leaf in leaves(flow) if flow.merge_output else ():
        if _returns_list(leaf):
            yield Problem(
                "list-is-merged",
                "merge_output",
                f'The flow returns what its final steps return as one object, and "{leaf.slug}"'
                " returns a list, so it always fails; add a step behind it that makes an object of"
                " the list.",
            )


def _returns_list(step: Step | None) -> bool:
    return isinstance(step, MapStep) or (isinstance(step, SubflowStep) and step.over is not None)
