"""A map step is fed a list, as far as schemas tell."""

from collections.abc import Iterator, Mapping
from typing import assert_never

from dagster_pgflow.errors import Problem
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.graph import by_slug
from dagster_pgflow.model.steps import (
    BranchStep,
    JoinStep,
    LoopStep,
    MapStep,
    SingleStep,
    SleepStep,
    Step,
    SubflowStep,
    WaitingStep,
)
from dagster_pgflow.validation.rule import KnownFlows
from dagster_pgflow.validation.types.json_type import type_of_input
from dagster_pgflow.validation.types.outputs import Outputs
from dagster_pgflow.validation.types.type_problems import list_problems


def maps_are_fed_lists(flow: Flow, known: KnownFlows) -> Iterator[Problem]:
    """Look for maps over something that is never a list."""
    steps = by_slug(flow)
    for step in flow.steps:
        match step:
            case MapStep() if reason := _no_list(flow, step, steps):
                yield Problem(
                    "map-over-no-list",
                    f"steps.{step.slug}.depends_on",
                    f'Map step "{step.slug}" maps over {reason}; it needs a list.',
                )
            case SubflowStep(over=None) if _gives_object(step) and known and step.flow in known:
                yield from _root_maps_inside(step, known[step.flow])


def _no_list(flow: Flow, step: MapStep, steps: Mapping[str, Step]) -> str:
    """Return what a map maps over, when that is no list."""
    if not step.depends_on:
        is_list = not list_problems(type_of_input(flow.input_schema))
        return "" if is_list else "the flow's input, which is not a list by its input_schema"
    match steps.get(step.depends_on[0]):
        case SingleStep() as source if list_problems(Outputs({}).of_step(source)):
            why = "laid over its input" if source.keep_input else "not a list by its output_schema"
            return f'the output of "{source.slug}", which is {why}'
        case JoinStep() | WaitingStep() | SleepStep() as source:
            of = "of its dependencies" if isinstance(source, JoinStep) else "about its waiting"
            return f'the output of {source.type} "{source.slug}", an object {of}'
        case BranchStep() | LoopStep() as source if _hands_on_object(source):
            return f'what "{source.slug}" hands on, an object of its dependencies'
        case SubflowStep(over=None, output=None) as source:
            return f'the output of subflow "{source.slug}", an object of its final steps'
        case SingleStep() | MapStep() | BranchStep() | LoopStep() | SubflowStep() | None:
            return ""
        case _ as source:
            assert_never(source)


def _hands_on_object(source: BranchStep | LoopStep) -> bool:
    merges = source.merge_input or len(set(source.depends_on)) > 1
    return source.keep_input or (not source.needs_handler and merges)


def _gives_object(step: SubflowStep) -> bool:
    return bool(step.depends_on) or step.input is not None


def _root_maps_inside(step: SubflowStep, inner: Flow) -> Iterator[Problem]:
    for root in inner.steps:
        if isinstance(root, MapStep) and not root.depends_on:
            yield Problem(
                "map-over-no-list",
                f"steps.{step.slug}.flow",
                f'Map step "{root.slug}" of flow "{inner.slug}" maps over that flow\'s input, and'
                f' step "{step.slug}" gives it an object; it needs a list.',
            )
