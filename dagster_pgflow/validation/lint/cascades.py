"""A final step is not skipped by surprise, because something far before it was."""

from collections.abc import Iterator
from graphlib import CycleError

from dagster_pgflow.errors import Problem
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.graph import in_order, known_deps, leaves
from dagster_pgflow.model.steps import HandledStep, Step
from dagster_pgflow.validation.lint.mapped_skips import deps_in_mapping
from dagster_pgflow.validation.lint.settings import has_condition
from dagster_pgflow.validation.rule import KnownFlows

MOST_NAMED = 3


def final_steps_are_reached(flow: Flow, _known: KnownFlows) -> Iterator[Problem]:
    """Look for final steps that a cascade takes out of the flow's output.

    An output schema that does not require such a step says that this is meant.
    """
    try:
        causes = _causes(flow)
    except CycleError:
        return
    final = leaves(flow)
    needed = {dep for step in flow.steps for dep in deps_in_mapping(step)}
    for step in final:
        if causes[step.slug] and not _is_said_to_be_optional(flow, step):
            named = " or ".join(f'"{slug}"' for slug in causes[step.slug])
            missing = f'lacks "{step.slug}"' if len(final) > 1 else "is null"
            # A mapping that needs its output could not do with skip.
            other = "fail" if needed.intersection(causes[step.slug]) else "skip"
            yield Problem(
                "cascade-to-final-step",
                f"steps.{step.slug}",
                f'Final step "{step.slug}" is skipped whenever {named} is (skip-cascade), and the'
                f" flow's output then {missing}; use {other}, or give the flow an output_schema"
                f' that does not require "{step.slug}".',
            )


def _causes(flow: Flow) -> dict[str, tuple[str, ...]]:
    """Return for each step some steps before it whose skip reaches it, the nearest first."""
    deps = known_deps(flow)
    cascading = {step.slug for step in flow.steps if _can_cascade(step)}
    causes: dict[str, tuple[str, ...]] = {}
    for step in in_order(flow):
        before = deps[step.slug]
        near = [dep for dep in before if dep in cascading]
        far = [slug for dep in before for slug in causes[dep]]
        causes[step.slug] = tuple(dict.fromkeys([*near, *far]))[:MOST_NAMED]
    return causes


def _can_cascade(step: Step) -> bool:
    unmet = step.when_unmet == "skip-cascade" and has_condition(step)
    # Attempts are exhausted inside a subflow, whose own steps say what that means.
    return unmet or (isinstance(step, HandledStep) and step.when_exhausted == "skip-cascade")


def _is_said_to_be_optional(flow: Flow, step: Step) -> bool:
    required = (flow.output_schema or {}).get("required", [])
    return (
        flow.output_schema is not None
        and isinstance(required, list)
        and (step.slug not in required)
    )
