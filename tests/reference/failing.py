"""Random failure steps, joins that catch failures, and data maps, for flows that are drawn."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import count
from typing import Any

from hypothesis import strategies as st

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.steps import (
    BranchStep,
    HandledStep,
    JoinStep,
    LoopStep,
    MapStep,
    SingleStep,
    Step,
    SubflowStep,
)
from dagster_pgflow.validation.validate import validate
from tests.reference.drawing import Drawn
from tests.reference.forks import harmless

HOWS = ("raises", "final", "too_long", "too_long", "no_json")
CAN_FAIL = SingleStep | MapStep | BranchStep | LoopStep
Known = Mapping[str, Flow]


@st.composite
def with_failures(draw: st.DrawFn, drawn: Drawn) -> Drawn:
    """Draw which steps of some flows fail while the flows go on, and which merge their input."""
    known: dict[str, Flow] = {}
    for index, flow in enumerate(drawn.flows):
        grown = draw(with_failures_in(flow, known))
        # A flow around it may refer to what no longer is a final step.
        around = drawn.flows[index + 1 :]
        whole = {**known, grown.slug: grown, **{one.slug: one for one in around}}
        is_sound = not any(validate(one, whole) for one in around)
        known[flow.slug] = grown if is_sound else flow
    return Drawn(tuple(known.values()), drawn.input)


@st.composite
def with_failures_in(draw: st.DrawFn, flow: Flow, known: Known) -> Flow:
    """Draw the same for one flow."""
    names = (f"mend_{number}" for number in count(1))
    grown = flow
    for _ in range(draw(st.integers(0, 3))):
        grown = draw(one_more_caught(grown, names, known))
    for _ in range(draw(st.sampled_from([0, 0, 1, 2]))):
        grown = draw(merging(grown, known))
    return grown


@st.composite
def one_more_caught(draw: st.DrawFn, flow: Flow, names: Iterator[str], known: Known) -> Flow:
    """Draw a step that goes on after others failed, and often where the two routes meet."""
    steps = {step.slug: step for step in flow.steps}
    more: dict[str, dict[str, Any]] = {}
    joins = [step.slug for step in flow.steps if isinstance(step, JoinStep)]
    if draw(st.booleans()) and joins:
        failing = [draw(st.sampled_from(joins))]
        deps = steps[failing[0]].depends_on
        members: list[str] = draw(st.lists(st.sampled_from(deps), max_size=2, unique=True))
        more[failing[0]] = {"members": tuple(members)}
        likely = [slug for slug in members or deps if slug in steps]
    else:
        failing = draw(st.lists(st.sampled_from(list(steps)), min_size=1, max_size=3, unique=True))
        likely = failing
    for slug in likely:
        if isinstance(steps[slug], CAN_FAIL) and draw(st.integers(0, 4)) < 3:
            more[slug] = more.get(slug, {}) | draw(mishap(steps[slug]))
    mend = next(names)
    for slug in failing:
        led = {"on_failure": mend}
        if isinstance(steps[slug], HandledStep):
            late = {"on_timeout": mend}
            led = draw(st.sampled_from([led, led, led, late, led | late]))
        more[slug] = more.get(slug, {}) | led
    mended = draw(mending(mend, failing, list(steps), list(known)))
    grown = _sound(flow, more, [mended], known)
    if grown is flow or draw(st.integers(0, 2)) == 0:
        return grown
    behind = [
        step.slug
        for step in grown.steps
        if step.slug != mend and set(failing) & set(step.depends_on)
    ]
    met = draw(meeting(next(names), [mend, *behind[:2]], list(steps)))
    return _sound(grown, {}, [met], known)


@st.composite
def mishap(draw: st.DrawFn, step: Step) -> dict[str, Any]:
    """Draw how a step fails, for good or for some time."""
    params: dict[str, Any] = {
        "failures": draw(st.sampled_from([1, 9, 9, 9])),
        "how": [draw(st.sampled_from(HOWS))],
        "at": draw(st.sampled_from([None, [0], [1]])) if isinstance(step, MapStep) else None,
        "more": 0,
    }
    options = step.options.model_copy(update={"max_attempts": draw(st.sampled_from([1, 1, 2]))})
    exhausted = draw(st.sampled_from(["fail"] * 6 + ["skip"]))
    loop = isinstance(step, LoopStep)
    return {"handler": "flaky", "params": params, "options": options} | (
        {} if loop else {"when_exhausted": exhausted}
    )


@st.composite
def mending(
    draw: st.DrawFn, slug: str, failing: Sequence[str], others: Sequence[str], flows: Sequence[str]
) -> Step:
    """Draw a failure step."""
    more = draw(st.lists(st.sampled_from(others), max_size=1)) if others else []
    deps = tuple(draw(st.permutations(list(dict.fromkeys([*failing, *more])))))
    merges = {"merge_input": draw(st.sampled_from([False, False, True, True]))}
    if flows and draw(st.integers(0, 5)) == 0:
        flow = draw(st.sampled_from(flows))
        return SubflowStep(slug=slug, depends_on=deps, flow=flow, **merges)
    does = draw(harmless())
    return SingleStep(slug=slug, depends_on=deps, **does, **merges)


@st.composite
def meeting(draw: st.DrawFn, slug: str, met: Sequence[str], others: Sequence[str]) -> Step:
    """Draw a step where the routes of success and failure meet again."""
    deps = tuple(draw(st.permutations(list(dict.fromkeys(met)))))
    if len(deps) > 1 and draw(st.booleans()):
        return JoinStep(slug=slug, depends_on=deps, wait=draw(st.sampled_from(["all", "any", 1])))
    return SingleStep(slug=slug, depends_on=deps, **draw(harmless()))


@st.composite
def merging(draw: st.DrawFn, flow: Flow, known: Known) -> Flow:
    """Draw a step that merges or keeps its input, or a flow that merges its output."""
    steps = {step.slug: step for step in flow.steps}
    if draw(st.integers(0, 5)) == 0:
        needed = {dep for step in flow.steps for dep in step.depends_on}
        finals = {slug for slug in steps if slug not in needed}
        return _sound(
            flow.model_copy(update={"merge_output": True}), _boxed(steps, finals), [], known, flow
        )
    slugs = [slug for slug, step in steps.items() if "merge_input" in type(step).model_fields]
    if not slugs:
        return flow
    step = steps[draw(st.sampled_from(slugs))]
    more: dict[str, dict[str, Any]] = {}
    if draw(st.integers(0, 4)) < 4:
        more = _boxed(steps, step.depends_on)
    fields = [{"merge_input": True}]
    if "keep_input" in type(step).model_fields:
        fields += [{"keep_input": True}, {"merge_input": True, "keep_input": True}]
        if draw(st.booleans()):
            more |= _boxed(steps, [step.slug])
    more[step.slug] = more.get(step.slug, {}) | draw(st.sampled_from(fields))
    return _sound(flow, more, [], known)


def _boxed(steps: Mapping[str, Step], slugs: Collection[str]) -> dict[str, dict[str, Any]]:
    """Return what lets steps return objects."""
    does = {"handler": "boxed", "params": {}}
    return {slug: does for slug in slugs if isinstance(steps[slug], SingleStep)}


def _sound(
    flow: Flow,
    updates: Mapping[str, Mapping[str, Any]],
    more: Sequence[Step],
    known: Known,
    otherwise: Flow | None = None,
) -> Flow:
    """Return a flow with some steps changed and some added, if it may be one."""
    steps = [step.model_copy(update=dict(updates.get(step.slug, {}))) for step in flow.steps]
    changed = flow.model_copy(update={"steps": (*steps, *more)})
    is_sound = not validate(changed, {**known, changed.slug: changed})
    return changed if is_sound else otherwise or flow
