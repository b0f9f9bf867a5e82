"""A warning about each step that may be left behind, and about no other."""

import itertools
import re
from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.graph import dependents, in_order, reach
from dagster_pgflow.model.steps import BranchStep, JoinStep, SingleStep, Step
from dagster_pgflow.model.steps.branch import Rule
from dagster_pgflow.validation.lint.left_behind import steps_are_not_left_behind
from dagster_pgflow.validation.validate import validate
from tests.reference.endings import StepEnd
from tests.reference.routing import skip_by
from tests.unit.validation.problems import problems_found

Ends = dict[str, StepEnd]

ROUTED = (
    Flow("f")
    .step("ask")
    .step("book")
    .branch("route", rules=[("output.ok", "pay")], depends_on="ask")
    .step("pay", depends_on="route")
)
SENTENCE = (
    'Step "send" is skipped when "route" does not take the route to "pay", although "book" has run;'
    ' where it is to run then, put a join before it that waits for "any" of them, or for a number;'
    ' where not, let "pay" depend on "book" too.'
)


def places_of(flow: Flow) -> list[str]:
    assert validate(flow) == ()
    return [path for _, path, _ in problems_found(steps_are_not_left_behind, flow)]


def test_a_step_behind_a_way_and_something_apart_is_left_behind() -> None:
    flow = ROUTED.step("send", depends_on=["pay", "book"])
    assert problems_found(steps_are_not_left_behind, flow) == [
        ("left-behind", "steps.send.depends_on", SENTENCE)
    ]


def test_a_join_of_all_is_left_behind_too_and_one_of_some_is_not() -> None:
    deps = ["pay", "book"]
    [(_, _, sentence)] = problems_found(
        steps_are_not_left_behind, ROUTED.join("j", depends_on=deps)
    )
    assert 'where it is to run then, let it wait for "any" of them, or for a number;' in sentence
    joined = ROUTED.join("j", wait="any", depends_on=deps).step("last", depends_on=["j", "book"])
    assert places_of(joined) == []


def test_what_looks_back_on_its_own_way_is_meant_so() -> None:
    assert places_of(ROUTED.step("send", depends_on=["pay", "ask"])) == []
    assert places_of(ROUTED.step("send", depends_on=["pay", "route"])) == []


def test_a_step_that_the_branch_names_is_meant_so() -> None:
    flow = Flow("f").step("ask").step("book")
    flow = flow.branch("route", rules=[("output.ok", "pay")], depends_on="ask")
    assert places_of(flow.step("pay", depends_on=["route", "book"])) == []


def test_where_ways_meet_one_of_them_is_there() -> None:
    flow = (
        Flow("f")
        .step("book")
        .branch("route", rules=[("output.ok", "pay")], default_path="owe", depends_on="book")
        .step("pay", depends_on="route")
        .step("owe", depends_on="route")
        .step("tell")
        .step("send", depends_on=["pay", "owe", "tell"])
    )
    assert places_of(flow) == []


def test_a_join_that_a_route_leads_to_is_met_there_although_it_waits_for_no_route() -> None:
    flow = (
        Flow("f")
        .step("book")
        .branch("route", rules=[("output.ok", "pay")], default_path="end")
        .step("pay", depends_on="route")
        .join("end", depends_on=["book", "route"], wait="any")
        .step("send", depends_on=["book", "pay", "end"])
    )
    assert places_of(flow) == []


def test_a_join_whose_routes_are_all_of_one_branch_may_be_missing() -> None:
    flow = (
        Flow("f")
        .branch("route", rules=[("output.ok", ["pay", "end"])])
        .step("pay", depends_on="route")
        .join("end", depends_on=["route", "pay"], wait="any")
        .step("book")
        .step("send", depends_on=["end", "book"])
    )
    assert places_of(flow) == ["steps.send.depends_on"]


def test_a_join_may_run_where_the_route_to_another_step_behind_it_is_not_taken() -> None:
    flow = (
        Flow("f")
        .branch("route", rules=[("output.ok", "pay")])
        .step("pay", depends_on="route")
        .join("end", depends_on=["route", "pay"], wait="any")
        .step("send", depends_on=["end", "pay"])
    )
    assert places_of(flow) == ["steps.send.depends_on"]


def test_behind_a_subflow_with_a_failure_step_it_is_the_same() -> None:
    flow = Flow("f").step("book").subflow("pay", "g", on_failure="undo")
    flow = flow.step("undo", depends_on="pay").step("ship", depends_on="pay")
    assert places_of(flow.step("end", depends_on=["ship", "book"])) == ["steps.end.depends_on"]
    assert places_of(flow.step("end", depends_on=["ship", "undo", "book"])) == []


def test_a_dependency_that_is_left_behind_itself_has_not_arrived() -> None:
    flow = (
        Flow("f")
        .branch("a", rules=[("true", "b")], default_path="d")
        .step("b", depends_on="a")
        .step("d", depends_on=["a", "b"])
        .step("e", depends_on=["a", "b", "d"])
        .step("f", depends_on=["e", "a", "b"])
    )
    assert places_of(flow) == ["steps.e.depends_on"]


@st.composite
def forked(draw: st.DrawFn) -> Flow:
    """Draw a flow of steps, joins and branches without conditions."""
    drawn: list[Step] = []
    for slug in "abcdefg"[: draw(st.integers(3, 7))]:
        earlier = [step.slug for step in drawn]
        some = st.lists(st.sampled_from(earlier), unique=True, max_size=3)
        deps = tuple(draw(some) if earlier else ())
        match draw(st.sampled_from(["single", "single", "branch", "branch", "join"])):
            case "branch":
                drawn.append(BranchStep(slug=slug, depends_on=deps, rules=()))
            case "join" if len(deps) > 1:
                wait = draw(st.sampled_from(["all", "any", 1, 2]))
                drawn.append(JoinStep(slug=slug, depends_on=deps, wait=wait))
            case _:
                drawn.append(SingleStep(slug=slug, depends_on=deps))
    flow = Flow("f").model_copy(update={"steps": tuple(drawn)})
    behind = {slug: [step.slug for step in steps] for slug, steps in dependents(flow).items()}
    return flow.model_copy(update={"steps": tuple(draw(led(step, behind)) for step in drawn)})


@st.composite
def led(draw: st.DrawFn, step: Step, behind: dict[str, list[str]]) -> Step:
    if not isinstance(step, BranchStep):
        return step
    if not behind[step.slug]:
        return SingleStep(slug=step.slug, depends_on=step.depends_on)
    targets = st.sampled_from(behind[step.slug])
    paths = draw(st.lists(st.lists(targets, unique=True, min_size=1), min_size=1, max_size=2))
    rules = tuple(Rule(when="true", then=tuple(path)) for path in paths)
    return step.model_copy(
        update={"rules": rules, "default_path": tuple(draw(st.lists(targets, unique=True)))}
    )


def runs_of(flow: Flow) -> Iterator[Ends]:
    """Yields how the steps end, for everything that the branches may decide."""
    branches = [step for step in flow.steps if isinstance(step, BranchStep)]
    for taken in itertools.product(*(branch.routes.values() for branch in branches)):
        chosen = dict(zip((branch.slug for branch in branches), taken, strict=True))
        ends: Ends = {}
        for step in in_order(flow):
            deps = {dep: ends[dep] for dep in step.depends_on}
            completed = StepEnd("completed", taken=frozenset(chosen.get(step.slug, ())))
            ends[step.slug] = skip_by(flow, step, deps) or completed
        yield ends


def is_left_behind(flow: Flow, step: Step, ends: Ends) -> bool:
    """Return whether a step is skipped although something has run that is not before what has not.

    What names the step decides about it, whatever else has run.
    """
    if ends[step.slug].skip_reason != "not_taken":
        return False
    steps = {one.slug: one for one in flow.steps}
    naming = [dep for dep in step.depends_on if step.slug in steps[dep].targets]
    if any(step.slug not in ends[dep].taken for dep in naming):
        return False
    missing = [dep for dep in step.depends_on if ends[dep].status == "skipped"]
    arrived = [dep for dep in step.depends_on if ends[dep].status == "completed"]
    return any(dep not in behind(flow, lost) for lost in missing for dep in arrived)


def behind(flow: Flow, slug: str) -> set[str]:
    """Returns what a step depends on, over others too."""
    steps = {step.slug: step for step in flow.steps}
    return {other for other in steps if slug in reach(steps, [other])}


@given(forked())
def test_what_is_warned_of_happens_in_some_run(flow: Flow) -> None:
    for _, path, sentence in problems_found(steps_are_not_left_behind, flow):
        slug = path.split(".")[1]
        named = re.findall(r'"(\w+)"', sentence)
        assert named[0] == slug
        fork, missing, arrived = named[1:4]
        assert any(
            ends[slug].status == "skipped"
            and ends[fork].status == "completed"
            and ends[missing].status == "skipped"
            and ends[arrived].status == "completed"
            for ends in runs_of(flow)
        )


@given(forked())
def test_what_is_not_warned_of_happens_in_no_run(flow: Flow) -> None:
    warned = {path.split(".")[1] for _, path, _ in problems_found(steps_are_not_left_behind, flow)}
    for step in flow.steps:
        is_some = isinstance(step, JoinStep) and step.least is not None
        if step.slug not in warned and not is_some:
            assert not any(is_left_behind(flow, step, ends) for ends in runs_of(flow))
