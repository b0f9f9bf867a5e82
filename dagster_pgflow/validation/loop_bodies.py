"""What a loop repeats is closed: one way in, one way out, and no half of another loop."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from dagster_pgflow.errors import Problem
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.graph import bodies_of as all_bodies
from dagster_pgflow.model.graph import by_slug, find_cycle, known_deps
from dagster_pgflow.model.steps import LoopStep, Step
from dagster_pgflow.validation.rule import KnownFlows

Bodies = Mapping[str, frozenset[str]]
"""The steps that each loop repeats, by its slug; large bodies first."""

Around = Mapping[str, Sequence[str]]
"""The loops that repeat each step, large ones first."""


def loops_repeat_whole_parts(flow: Flow, _known: KnownFlows) -> Iterator[Problem]:
    """Check what leads out of each loop, and how loops lie to each other."""
    if not any(isinstance(step, LoopStep) for step in flow.steps):
        return
    bodies = bodies_of(flow)
    around = _around(bodies)
    problems = [
        *_torn_failures(flow.steps, bodies),
        *_routes_out(flow.steps, bodies, around),
        *_overlaps(bodies, around),
    ]
    # What seems wrong within a cycle may not be; another rule tells of that.
    if problems and not find_cycle(known_deps(flow)):
        yield from problems


def bodies_of(flow: Flow) -> Bodies:
    """Return what the loops of a flow repeat, without those that do not go back."""
    found = {slug: frozenset(body) for slug, body in all_bodies(by_slug(flow)).items()}
    large_first = sorted(found.items(), key=lambda item: -len(item[1]))
    return {slug: body for slug, body in large_first if slug in body}


def _routes_out(steps: Sequence[Step], bodies: Bodies, around: Around) -> Iterator[Problem]:
    routed = _failure_steps(steps)
    for step in steps:
        for dep in dict.fromkeys(step.depends_on):
            left = [
                loop
                for loop in around.get(dep, ())
                if loop != dep and step.slug not in bodies[loop]
            ]
            if left and (dep, step.slug) not in routed:
                loop = left[0]
                yield Problem(
                    "loop-left-before-its-end",
                    f"steps.{step.slug}.depends_on",
                    f'Step "{step.slug}" depends on "{dep}", which loop "{loop}" repeats; let it'
                    f' depend on "{loop}" instead, or let "{loop}" depend on it, so that it is'
                    " repeated too.",
                )


def _torn_failures(steps: Sequence[Step], bodies: Bodies) -> Iterator[Problem]:
    for (failing, failure_step), field in _failure_steps(steps).items():
        torn = [
            loop
            for loop, body in bodies.items()
            # When the loop itself fails, the run goes on behind it.
            if failing in body and failing != loop and failure_step not in body
        ]
        for loop in torn[:1]:
            yield Problem(
                "failure-step-across-a-loop",
                f"steps.{failing}.{field}",
                f'Step "{failing}" goes on with "{failure_step}" when it fails, but loop "{loop}"'
                f' repeats "{failing}" and not "{failure_step}"; let it repeat both, or let'
                f' "{loop}" go on with "{failure_step}".',
            )


def _failure_steps(steps: Sequence[Step]) -> dict[tuple[str, str], str]:
    """Return each step with its failure step, where that one depends on it, and the field."""
    by_name = {step.slug: step for step in steps}
    return {
        (step.slug, failure_step): field
        for step in steps
        for field, failure_step in step.failure_steps.items()
        if failure_step in by_name and step.slug in by_name[failure_step].depends_on
    }


def _overlaps(bodies: Bodies, around: Around) -> Iterator[Problem]:
    place = {loop: index for index, loop in enumerate(bodies)}
    # Where each lies within the next larger one, it lies within all larger ones.
    sharing = {(loop, larger) for loops in around.values() for larger, loop in pairwise(loops)}
    for loop, larger in sorted(sharing, key=lambda pair: (place[pair[0]], place[pair[1]])):
        if bodies[loop] <= bodies[larger]:
            continue
        first = min(bodies[loop] & bodies[larger])
        yield Problem(
            "loops-overlap",
            f"steps.{loop}.back_to",
            f'Loops "{larger}" and "{loop}" both repeat "{first}", and neither lies within the'
            " other; let one of them go back to a step before all that the other repeats, or"
            " behind it.",
        )


def _around(bodies: Bodies) -> Around:
    around: dict[str, list[str]] = {}
    for loop, body in bodies.items():
        for slug in body:
            around.setdefault(slug, []).append(loop)
    return around
