"""A pattern can meet the input that it is compared with."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from dagster_pgflow.errors import Problem
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.graph import by_slug
from dagster_pgflow.model.steps import JoinStep, MapStep, Step, SubflowStep
from dagster_pgflow.model.steps.data_map import merges_input
from dagster_pgflow.validation.loops import loops_by_start
from dagster_pgflow.validation.rule import KnownFlows

CONSEQUENCES = {
    "skip": "so it is always skipped",
    "skip-cascade": "so it is always skipped, and all that depends on it",
    "fail": "so every run fails",
}


def conditions_can_hold(flow: Flow, _known: KnownFlows) -> Iterator[Problem]:
    """Look for patterns that no input contains, or that every input does."""
    steps, loops = by_slug(flow), loops_by_start(flow)
    for step in flow.steps:
        senders = {*step.depends_on, *loops.get(step.slug, ())}
        if step.if_ is not None and (reason := _never_contained(step, step.if_, steps, senders)):
            yield _never_holds(step, "if", reason)
        if step.if_not is None:
            continue
        if not step.if_not and step.depends_on:
            yield _never_holds(step, "if_not", "every input contains the empty pattern")
        elif reason := _never_contained(step, step.if_not, steps, senders):
            yield Problem(
                "condition-without-effect",
                f"steps.{step.slug}.if_not",
                f'This never keeps step "{step.slug}" from running: {reason}.',
            )


def _never_holds(step: Step, field: str, reason: str) -> Problem:
    return Problem(
        "condition-never-holds",
        f"steps.{step.slug}.{field}",
        f'The condition of step "{step.slug}" never holds, {CONSEQUENCES[step.when_unmet]}:'
        f" {reason}.",
    )


def _never_contained(
    step: Step, pattern: dict[str, Any], steps: Mapping[str, Step], senders: Collection[str]
) -> str:
    """Return why no input of a step contains a pattern; nothing when one may."""
    if not step.depends_on or merges_input(step):
        is_map = isinstance(step, MapStep)
        return "a root map step gets a list, and a list contains no object" if is_map else ""
    strangers = [key for key in pattern if key not in senders]
    if strangers:
        named = " or ".join(f'"{key}"' for key in strangers)
        return f"the step does not depend on {named}, and only dependencies are in its input"
    for dep, wanted in pattern.items():
        match steps.get(dep):
            case MapStep() if not isinstance(wanted, list):
                return f'"{dep}" is a map step, whose output is a list; write the pattern as a list'
            case JoinStep() if not isinstance(wanted, dict):
                return f'"{dep}" is a join, whose output is an object of its dependencies'
            case SubflowStep(over=None, output=None) if not isinstance(wanted, dict | None):
                return f'"{dep}" is a subflow, whose output is an object of its final steps'
    return ""
