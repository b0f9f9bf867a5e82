"""What a loop repeats is closed: one way in, one way out, and no half of another loop."""

from collections.abc import Iterator, Mapping, Sequence

from dagster_pgflow.errors import Problem
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.graph import body_of, by_slug, find_cycle, known_deps
from dagster_pgflow.model.step import LoopStep, Step, SubflowStep
from dagster_pgflow.validation.rule import KnownFlows

Bodies = Mapping[str, frozenset[str]]
"""The steps that each loop repeats, by its slug; large bodies first."""


def loops_repeat_whole_parts(flow: Flow, _known: KnownFlows) -> Iterator[Problem]:
    """Check what leads out of each loop, and how loops lie to each other."""
    if not any(isinstance(step, LoopStep) for step in flow.steps) or find_cycle(known_deps(flow)):
        return  # Another rule tells of cycles.
    bodies = bodies_of(flow)
    yield from _torn_failures(flow.steps, bodies)
    yield from _ways_out(flow.steps, bodies)
    yield from _overlaps(bodies)


def bodies_of(flow: Flow) -> Bodies:
    """Return what the loops of a flow repeat, without those that do not go back."""
    steps = by_slug(flow)
    found = {
        step.slug: frozenset(body_of(steps, step))
        for step in steps.values()
        if isinstance(step, LoopStep)
    }
    large_first = sorted(found.items(), key=lambda item: -len(item[1]))
    return {slug: body for slug, body in large_first if slug in body}


def _ways_out(steps: Sequence[Step], bodies: Bodies) -> Iterator[Problem]:
    routed = _failure_steps(steps)
    for step in steps:
        told: set[str] = set()
        for loop, body in bodies.items():
            if step.slug in body:
                continue
            inside = [dep for dep in step.depends_on if dep in body - {loop, *told}]
            for dep in dict.fromkeys(inside):
                told.add(dep)
                if (dep, step.slug) in routed:
                    continue
                yield Problem(
                    "loop-left-before-its-end",
                    f"steps.{step.slug}.depends_on",
                    f'Step "{step.slug}" depends on "{dep}", which loop "{loop}" repeats; let it'
                    f' depend on "{loop}" instead, or let "{loop}" depend on it, so that it is'
                    " repeated too.",
                )


def _torn_failures(steps: Sequence[Step], bodies: Bodies) -> Iterator[Problem]:
    for subflow, failure_step in _failure_steps(steps):
        torn = [
            (loop, (subflow, failure_step) if subflow in body else (failure_step, subflow))
            for loop, body in bodies.items()
            if (subflow in body) != (failure_step in body)
        ]
        for loop, (inside, outside) in torn[:1]:
            yield Problem(
                "failure-step-across-a-loop",
                f"steps.{subflow}.on_failure",
                f'Step "{subflow}" goes on with "{failure_step}" when it fails, but loop "{loop}"'
                f' repeats "{inside}" and not "{outside}"; let it repeat both, or none of them.',
            )


def _failure_steps(steps: Sequence[Step]) -> dict[tuple[str, str], None]:
    """Return each subflow step with its failure step, where that one depends on it."""
    by_name = {step.slug: step for step in steps}
    return {
        (step.slug, step.on_failure): None
        for step in steps
        if isinstance(step, SubflowStep)
        and step.on_failure in by_name
        and step.slug in by_name[step.on_failure].depends_on
    }


def _overlaps(bodies: Bodies) -> Iterator[Problem]:
    loops = list(bodies)
    for place, loop in enumerate(loops):
        for larger in loops[:place]:
            shared = bodies[loop] & bodies[larger]
            if not shared or bodies[loop] <= bodies[larger]:
                continue
            first = min(shared)
            yield Problem(
                "loops-overlap",
                f"steps.{loop}.back_to",
                f'Loops "{larger}" and "{loop}" both repeat "{first}", and neither lies within the'
                " other; let one of them go back to a step before all that the other repeats, or"
                " behind it.",
            )
