"""What becomes of a step, and how a run goes on behind one, is what the rules say: without Dagster.

Random flows of a few steps, with every way in which dependencies may end.
"""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.graph import by_slug
from dagster_pgflow.model.steps import BranchStep, JoinStep, LoopStep, SingleStep, Step, SubflowStep
from dagster_pgflow.model.steps.branch import Rule
from dagster_pgflow.runtime.assembly import Receiver, assemble
from dagster_pgflow.runtime.conditions import Facts
from dagster_pgflow.runtime.data_map import Received
from dagster_pgflow.runtime.decisions import (
    Deciding,
    decision_of_branch,
    decision_of_loop,
    routes_out,
)
from dagster_pgflow.runtime.input_parts import InputPart
from dagster_pgflow.runtime.values import Failure as Failed
from dagster_pgflow.runtime.values import Skipped
from dagster_pgflow.step_errors import MembersFailed
from dagster_pgflow.step_path import RUN, StepPath
from tests.reference.conditions import DECISIONS, OF_PASSES, Asked
from tests.reference.endings import Failure, StepEnd
from tests.reference.routing import (
    begins_of,
    decided,
    leads_to,
    members_of,
    missed_by,
    skip_by,
    step_of,
)

EXAMPLES = settings().max_examples
SLUGS = ("a", "b", "c", "d", "e", "f", "g", "h")
values = st.sampled_from([None, True, 0, [], [True], [1, 2], {}, {"ok": True}, {"a": 1}, "a"])


@st.composite
def flows(draw: st.DrawFn) -> Flow:
    """Draw a flow in which routes part and meet; its last step is the one to look at."""
    deps: dict[str, list[str]] = {"a": []}
    for place, slug in enumerate(SLUGS[1:], 1):
        before = st.sampled_from(SLUGS[max(place - 4, 0) : place])
        least = 2 if slug == SLUGS[-1] else 1
        deps[slug] = draw(st.lists(before, min_size=least, max_size=3, unique=True))
    steps = [draw(step_called(slug, deps)) for slug in SLUGS]
    if any(SLUGS[-1] in step.failure_steps.values() for step in steps):
        # A failure step is no join.
        steps[-1] = SingleStep(slug=SLUGS[-1], depends_on=tuple(deps[SLUGS[-1]]))
    last = steps[-1]
    free = [step.slug for step in steps if step.slug in last.depends_on and not step.failure_steps]
    if isinstance(last, JoinStep) and free and draw(st.booleans()):
        members = draw(st.lists(st.sampled_from(free), min_size=1, unique=True))
        steps[-1] = last.model_copy(update={"members": tuple(members), "on_failure": "z"})
    return Flow("f", steps=tuple(steps))


@st.composite
def step_called(draw: st.DrawFn, slug: str, deps: dict[str, list[str]]) -> Step:
    behind = [other for other in deps if slug in deps[other]]
    fields: dict[str, Any] = {"slug": slug, "depends_on": tuple(deps[slug])}
    if slug == SLUGS[-1] and draw(st.booleans()):
        return JoinStep(wait=draw(st.sampled_from(["all", "any", 2])), **fields)
    if not behind or draw(st.integers(0, 3)) == 0:
        return SingleStep(**fields)
    led = {"on_failure": draw(st.sampled_from(behind))}
    late = {"on_timeout": draw(st.sampled_from(behind))}
    some = st.lists(st.sampled_from(behind), max_size=2, unique=True)
    match draw(st.sampled_from(["branch", "branch", "loop", "single", "subflow"])):
        case "branch":
            rules = tuple(Rule(when="true", then=tuple(draw(some))) for _ in range(2))
            return BranchStep(rules=rules, default_path=tuple(draw(some)), **fields)
        case "loop":
            paths = {"break_path": tuple(draw(some)), "timeout_path": tuple(draw(some))}
            return LoopStep(back_to=slug, condition="true", max_iterations=1, **paths, **fields)
        case "single":
            return SingleStep(**draw(st.sampled_from([led, late, led | late])), **fields)
        case _:
            return SubflowStep(flow="g", **led, **fields)


@st.composite
def ends(draw: st.DrawFn, flow: Flow, dep: str) -> StepEnd:
    """Draw how a dependency of the last step ended."""
    step, named = step_of(flow, dep), sorted(begins_of(flow, dep))
    kinds = ["completed", "completed", "skipped", "cascades"] + ["not_taken"] * 3
    caught = [name for name in ("on_failure", "on_timeout") if name in step.failure_steps]
    if caught or dep in members_of(step_of(flow, SLUGS[-1])):
        kinds += ["routed"] * 3
    match draw(st.sampled_from(kinds)):
        case "completed":
            taken = draw(st.sets(st.sampled_from(named))) if named else set()
            return StepEnd("completed", dep, taken=frozenset(taken))
        case "skipped":
            return StepEnd("skipped", skip_reason="condition_unmet")
        case "cascades":
            return StepEnd("skipped", skip_reason="condition_unmet", cascades=True)
        case "routed":
            by = draw(st.sampled_from(caught or ["on_failure"]))
            failure = Failure(dep, timed_out=by == "on_timeout")
            return StepEnd("failed", failure=failure, leads_to=leads_to(flow, step, failure))
        case _:
            forks = [step.slug for step in flow.steps if begins_of(flow, step.slug)]
            behind = draw(st.sets(st.sampled_from(forks or ["a"]), min_size=1, max_size=2))
            reason: Any = draw(st.sampled_from(["not_taken", "dependency_skipped"]))
            return StepEnd("skipped", None, reason, not_taken=frozenset(behind))


def sent(flow: Flow, dep: str, end: StepEnd, to: str) -> Any:
    """Returns what a dependency sends to a step."""
    not_taken = tuple(StepPath(slug) for slug in sorted(end.not_taken))
    step = step_of(flow, dep)
    value: Any = end.output
    if end.routed:
        assert end.failure is not None
        known = Failed(dep, timed_out=end.failure.timed_out)
        value = Skipped("handler_failed", StepPath(dep), error="no", failure=known)
    elif end.status == "skipped":
        assert end.skip_reason is not None
        value = Skipped(end.skip_reason, StepPath(dep), end.cascades, not_taken=not_taken)
    routes = {}
    if isinstance(step, BranchStep | LoopStep):
        routes = routes_out(step, StepPath(dep), value, end.taken)
    value = routes.get(to, value)
    return value.to_wire() if isinstance(value, Skipped) else value


@settings(max_examples=EXAMPLES)
@given(st.data())
def test_a_step_receives_what_the_ways_bring_or_is_skipped(data: st.DataObject) -> None:
    flow = data.draw(flows())
    step = flow.steps[-1]
    deps = {dep: data.draw(ends(flow, dep)) for dep in step.depends_on}
    parts = tuple(InputPart(dep) for dep in deps)
    arrived = {part: sent(flow, part.dep, deps[part.dep], step.slug) for part in parts}
    receiver = Receiver(step, by_slug(flow), RUN)
    failed = [slug for slug in deps if slug in members_of(step) and deps[slug].routed]
    wanted = skip_by(flow, step, deps)
    if failed:
        with pytest.raises(MembersFailed) as refused:
            assemble(receiver, parts, arrived)
        assert list(refused.value.members) == failed
        return
    found = assemble(receiver, parts, arrived)
    if wanted is None:
        missed = dict(missed_by(flow, step, deps))
        came = {
            slug
            for slug, dep in deps.items()
            if slug not in missed and (dep.routed or dep.status == "completed")
        }
        assert not isinstance(found, Skipped)
        assert found.keys() == came
        return
    assert isinstance(found, Skipped)
    if wanted.cascades:
        # What cascades needs no other reason, and the step says so itself.
        assert found.cascade
    else:
        assert found.reason == wanted.skip_reason
        assert frozenset(slug for (slug,) in found.not_taken) == wanted.not_taken


@settings(max_examples=EXAMPLES)
@given(st.data())
def test_a_run_goes_on_behind_a_branch_or_a_loop_as_the_rules_say(data: st.DataObject) -> None:
    texts = st.sampled_from([*DECISIONS, *OF_PASSES])
    some = st.lists(st.sampled_from("xyz"), max_size=2, unique=True).map(tuple)
    output, given, flow_input = data.draw(values), data.draw(values), data.draw(values)
    iteration, most = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 4))
    step: BranchStep | LoopStep
    if data.draw(st.booleans()):
        rules = data.draw(st.lists(st.builds(Rule, when=texts, then=some), min_size=1, max_size=3))
        step = BranchStep(slug="s", rules=tuple(rules), default_path=data.draw(some))
    else:
        step = LoopStep(
            slug="s",
            back_to="s",
            condition=data.draw(texts),
            max_iterations=most,
            break_path=data.draw(some),
            timeout_path=data.draw(some),
        )
    facts = Facts("run", lambda: flow_input, lambda _: None, iteration, most)
    asking = Deciding("f", StepPath("s"), Received(given, {}), output, facts)
    decision = (
        decision_of_branch(step, asking)
        if isinstance(step, BranchStep)
        else decision_of_loop(step, asking)
    )
    asked = Asked(given, flow_input, "f", "s", iteration, most)
    wanted = decided(step, asked, StepEnd("completed", output))
    assert bool(decision.again) == wanted.again
    both = set() if isinstance(step, BranchStep) else set(step.break_path) & set(step.timeout_path)
    assert set(decision.taken) == wanted.taken - both
