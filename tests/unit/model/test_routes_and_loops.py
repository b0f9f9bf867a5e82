"""Branches, joins and loops as data: builder, JSON form, the body of a loop."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagster_pgflow import Flow, Fragment
from dagster_pgflow.errors import InvalidFlow
from dagster_pgflow.model.graph import bodies_of, body_of, by_slug
from dagster_pgflow.model.routes import is_joined
from dagster_pgflow.model.steps import BranchStep, JoinStep, LoopStep, SingleStep, Step
from dagster_pgflow.model.steps.branch import Rule
from dagster_pgflow.validation.validate import parse_flow

ROUTED = (
    Flow("claim")
    .step("assess")
    .branch(
        "route",
        rules=[("output.score > 80", "pay"), ("output.score > 40", ["review", "note"])],
        default_path="refuse",
        depends_on="assess",
    )
    .step("pay", depends_on="route")
    .step("review", depends_on="route")
    .step("note", depends_on="route")
    .step("refuse", depends_on="route")
    .join("done", wait="any", depends_on=["pay", "review", "refuse"])
)
REFINED = (
    Flow("essay")
    .step("plan")
    .step("draft", depends_on="plan")
    .step("judge", depends_on="draft")
    .step("facts", depends_on="plan")
    .step("check", depends_on=["draft", "facts"])
    .loop(
        "good_enough",
        back_to="draft",
        condition="deps.judge.score < 0.8",
        max_iterations=5,
        break_path="publish",
        timeout_path=["publish", "warn"],
        depends_on=["judge", "check"],
    )
    .step("publish", depends_on="good_enough")
    .step("warn", depends_on="good_enough")
)


@pytest.mark.parametrize("flow", [ROUTED, REFINED])
def test_the_json_form_says_the_same(flow: Flow) -> None:
    assert parse_flow(flow.to_json()) == flow


def test_targets_are_what_only_one_way_leads_to() -> None:
    route, loop = by_slug(ROUTED)["route"], by_slug(REFINED)["good_enough"]
    assert route.targets == ("pay", "review", "note", "refuse")
    assert loop.targets == ("warn",)


def test_a_step_behind_two_ways_goes_with_a_run_that_takes_one_of_them() -> None:
    rules = [("output.sum > 100", ["charge", "check"]), ("true", "charge")]
    flow = Flow("order").branch("route", rules=rules).step("charge", depends_on="route")
    flow = flow.step("check", depends_on="route").step("other", depends_on="charge")
    steps = by_slug(flow.step("ship", depends_on=["charge", "check", "other"]))
    assert is_joined(steps, "ship", "check", ["charge"], "route")
    assert not is_joined(steps, "ship", "other", ["charge"], "route")


def test_the_body_of_a_loop_is_what_lies_on_the_way() -> None:
    steps = by_slug(REFINED)
    loop = steps["good_enough"]
    assert isinstance(loop, LoopStep)
    assert body_of(steps, loop) == ("draft", "judge", "check", "good_enough")


def test_a_loop_around_one_step_may_be_that_step() -> None:
    flow = Flow("poll").loop("ask", back_to="ask", condition="$.wait", max_iterations=3)
    steps = by_slug(flow)
    assert isinstance(steps["ask"], LoopStep)
    assert body_of(steps, steps["ask"]) == ("ask",)


@given(
    st.dictionaries(
        st.sampled_from("abcdef"), st.lists(st.sampled_from("abcdefx"), max_size=3), max_size=6
    ),
    st.lists(st.tuples(st.sampled_from("uvw"), st.sampled_from("abcdefuvwx")), max_size=3),
)
def test_all_bodies_at_once_are_those_of_each_loop_by_itself(
    deps: dict[str, list[str]], loops: list[tuple[str, str]]
) -> None:
    """Whatever the steps wait for: each other, themselves, or what does not exist."""
    steps: dict[str, Step] = {
        slug: SingleStep(slug=slug, depends_on=tuple(of)) for slug, of in deps.items()
    }
    for slug, back_to in loops:
        loop = LoopStep(slug=slug, back_to=back_to, condition="true", max_iterations=2)
        steps[slug] = loop.model_copy(update={"depends_on": tuple(deps.get("a", "b"))})
    by_hand = {
        step.slug: tuple(
            slug
            for slug in steps
            if _leads_to(steps, step.back_to, slug) and _leads_to(steps, slug, step.slug)
        )
        for step in steps.values()
        if isinstance(step, LoopStep)
    }
    assert bodies_of(steps) == by_hand


def _leads_to(steps: dict[str, Step], begin: str, end: str) -> bool:
    seen: set[str] = set()
    waiting = [end]
    while waiting:
        slug = waiting.pop()
        if slug not in seen:
            seen.add(slug)
            waiting += steps[slug].depends_on if slug in steps else ()
    return begin in seen


@pytest.mark.parametrize(("wait", "least"), [("all", None), ("any", 1), (2, 2)])
def test_a_join_waits_for_so_many(wait: str | int, least: int | None) -> None:
    assert JoinStep.model_validate({"slug": "j", "wait": wait}).least == least


@pytest.mark.parametrize("rules", [5, ["pay"], [("a",)], None])
def test_rules_that_are_none_are_told(rules: object) -> None:
    with pytest.raises(InvalidFlow, match="rules"):
        Flow("f").branch("route", rules=rules)  # type: ignore[arg-type]


def test_a_fragment_with_routes_leads_to_its_own_steps() -> None:
    fragment = (
        Fragment("gate")
        .branch("route", rules=[("deps.look.ok", "go")], default_path="stop", depends_on="look")
        .step("look")
        .step("go", depends_on="route")
        .step("stop", depends_on="route")
        .loop("again", back_to="go", condition="$.more", max_iterations=2, depends_on="go")
    )
    steps = by_slug(Flow("host").include(fragment, "a", depends_on=()))
    route, again = steps["a_route"], steps["a_again"]
    assert isinstance(route, BranchStep)
    assert route.rules[0].when == "deps.a_look.ok"
    assert (route.targets, route.handler) == (("a_go", "a_stop"), None)
    assert isinstance(again, LoopStep)
    assert again.back_to == "a_go"


def test_a_route_has_its_label_in_the_name_of_its_output_where_that_is_a_name() -> None:
    given = [(["a"], "yes"), (["b"], "not-found"), (["a_", "c"], "x_y"), (["c"], "z")]
    rules = [
        {"when": str(index), "then": then, "label": label}
        for index, (then, label) in enumerate(given)
    ]
    branch = Flow("f").branch("r", rules=rules, default_path=["a_"]).steps[0]
    assert [branch.route_output(target) for target in branch.targets] == [
        "to_a__yes",
        "to_b",
        "to_a_",
        "to_c",
    ]
    mistakable = [Rule(when="1", then=("a",), label="b"), Rule(when="2", then=("a__b",))]
    other = Flow("f").branch("r", rules=mistakable).steps[0]
    assert [other.route_output(target) for target in other.targets] == ["to_a", "to_a__b"]
