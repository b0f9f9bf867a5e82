"""Random branches, joins and loops, each with steps around it that make it worth its time."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from hypothesis import strategies as st

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.steps import BranchStep, JoinStep, LoopStep, SingleStep, Step
from dagster_pgflow.model.steps.branch import Rule
from dagster_pgflow.validation.validate import validate
from tests.reference.conditions import DECISIONS, OF_PASSES
from tests.reference.drawing import Surroundings, conditions, deps_among, scalars

Around = TypeVar("Around", bound=Surroundings)
More = Callable[[Iterator[str], str, Around], st.SearchStrategy[tuple[Step, ...]]]
"""Draws one more step of a flow, or some; returns all steps."""


@st.composite
def harmless(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a handler that does not fail."""
    items = st.lists(scalars, max_size=3)
    handler = draw(st.sampled_from(["echo", "pluck", "listed", "about", "give", "give"]))
    given = st.one_of(items, st.fixed_dictionaries({"a": items | scalars}), scalars)
    params = {"params": {"value": draw(given)}} if handler == "give" else {}
    return {"handler": handler, **params}


def is_sound(flow: str, steps: Sequence[Step], around: Surroundings) -> bool:
    """Return whether steps may stand in a flow."""
    known = getattr(around, "known", None) or {}
    made = Flow(flow, steps=tuple(steps), **getattr(around, "schemas", {}))
    return not validate(made, {**known, flow: made})


@st.composite
def joined(draw: st.DrawFn, slug: str, around: Surroundings) -> tuple[Step, ...]:
    """Draw a join of some of the steps so far; return all steps."""
    deps = draw(st.lists(st.sampled_from(around.slugs), min_size=2, max_size=4, unique=True))
    wait = draw(st.sampled_from(["all", "any", "any", 1, 2, len(deps)]))
    asked = draw(conditions(deps, around)) if draw(st.integers(0, 4)) == 0 else {}
    return (*around.before, JoinStep(slug=slug, depends_on=tuple(deps), wait=wait, **asked))


@st.composite
def branched(
    draw: st.DrawFn, names: Iterator[str], flow: str, around: Around, more: More[Around]
) -> tuple[Step, ...]:
    """Draw a branch, the steps that its routes begin with, and often one where they meet."""
    deps, slug = draw(deps_among(around)), next(names)
    targets = [next(names) for _ in range(draw(st.integers(1, 3)))]
    asked = draw(conditions(deps, around)) if draw(st.integers(0, 3)) == 0 else {}
    handler = draw(harmless()) if draw(st.integers(0, 3)) == 0 else {}
    whens = draw(st.lists(st.sampled_from(DECISIONS), min_size=1, max_size=3, unique=True))
    some = st.lists(st.sampled_from(targets), min_size=1, max_size=2, unique=True)
    rules = tuple(Rule(when=when, then=tuple(draw(some))) for when in whens)
    named = {target for rule in rules for target in rule.then}
    left = [target for target in targets if target not in named]
    default = left or draw(st.one_of(st.just([]), some))
    fields: dict[str, Any] = {"slug": slug, "depends_on": tuple(deps), **asked, **handler}
    branch = BranchStep(rules=rules, default_path=tuple(default), **fields)
    around = replace(around, before=(*around.before, branch))
    for place, target in enumerate(targets):
        # Sometimes a route leads straight to where another one leads, too.
        others = draw(st.lists(st.sampled_from(targets[:place]), max_size=1)) if place else []
        arm = draw(arm_of(target, [slug, *others], around))
        around = replace(around, before=(*around.before, arm))
    if draw(st.integers(0, 2)) == 0:
        around = replace(around, before=draw(more(names, flow, around)))
    if draw(st.booleans()) and len(around.slugs) > 1:
        around = replace(around, before=draw(joined_or_met(next(names), around, targets)))
    return around.before


@st.composite
def arm_of(draw: st.DrawFn, slug: str, deps: Sequence[str], around: Surroundings) -> Step:
    """Draw a step that a route begins with."""
    fields: dict[str, Any] = {"slug": slug, "depends_on": tuple(deps)}
    asked = draw(conditions(deps, around)) if draw(st.integers(0, 4)) == 0 else {}
    return SingleStep(**fields, **draw(harmless()), **asked)


@st.composite
def joined_or_met(
    draw: st.DrawFn, slug: str, around: Surroundings, targets: Sequence[str]
) -> tuple[Step, ...]:
    """Draw a step with which routes meet; return all steps."""
    others = draw(st.lists(st.sampled_from(around.slugs), max_size=1))
    deps = draw(st.permutations(list(dict.fromkeys([*targets, *others]))))
    if len(deps) > 1 and draw(st.booleans()):
        wait = draw(st.sampled_from(["all", "any", 1, 2]))
        return (*around.before, JoinStep(slug=slug, depends_on=tuple(deps), wait=wait))
    return (
        *around.before,
        SingleStep(slug=slug, depends_on=tuple(deps), **draw(harmless())),
    )


@st.composite
def looped(
    draw: st.DrawFn, names: Iterator[str], flow: str, around: Around, more: More[Around]
) -> tuple[Step, ...]:
    """Draw some steps, a loop that repeats them, and steps behind it; return all steps."""
    begin = SingleStep(
        slug=next(names), depends_on=tuple(draw(deps_among(around))), **draw(harmless())
    )
    # Most of what stands before is out of sight, so that the body hangs together.
    seen = draw(st.lists(st.sampled_from(around.slugs), max_size=1)) if around.slugs else []
    hidden = frozenset(around.slugs) - set(seen)
    inside = replace(around, before=(*around.before, begin), hidden=around.hidden | hidden)
    for _ in range(draw(st.integers(0, 3))):
        inside = replace(inside, before=draw(more(names, flow, inside)))
    new = [step for step in inside.before if step not in around.before]
    needed = {dep for step in new for dep in step.depends_on}
    ends = [step.slug for step in new if step.slug not in needed]
    loop_slug, routes = next(names), [next(names) for _ in range(draw(st.integers(0, 2)))]
    paths = {
        name: tuple(
            draw(st.lists(st.sampled_from(routes), max_size=2, unique=True)) if routes else []
        )
        for name in ("break_path", "timeout_path")
    }
    deps = draw(st.permutations([*ends, *seen]))
    loop = LoopStep(
        slug=loop_slug,
        depends_on=tuple(dict.fromkeys(deps)),
        back_to=begin.slug,
        condition=draw(st.sampled_from([*OF_PASSES * 4, *DECISIONS])),
        max_iterations=draw(st.sampled_from([1, 2, 2, 3, 3, 4])),
        **(draw(harmless()) if draw(st.integers(0, 2)) == 0 else {}),
        **paths,
    )
    behind = [
        SingleStep(slug=route, depends_on=(loop_slug,), **draw(harmless())) for route in routes
    ]
    steps = (*inside.before, loop, *behind)
    return steps if is_sound(flow, steps, around) else inside.before
