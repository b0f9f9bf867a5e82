"""Which steps behind a branch have nothing to decide when the run takes another route."""

import pytest

from dagster_pgflow.model.cut_off import CutOff, cut_off_by, steps_inside
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.graph import by_slug, dependents
from dagster_pgflow.model.steps import BranchStep, SubflowStep

INNER = Flow("inner").step("one").step("two", depends_on="one")
OUTER = Flow("outer").step("first").subflow("deep", "inner", depends_on="first")
LISTS = Flow("lists").map("all")
REPEATS = (
    Flow("repeats")
    .step("a")
    .loop("again", back_to="a", condition="false", max_iterations=2, depends_on="a")
)
BEGUN = Flow("f").step("other").branch("way", rules=[("true", "a")], default_path="b")


def cut_off(flow: Flow) -> CutOff:
    flows = {known.slug: known for known in (INNER, OUTER, LISTS, REPEATS, flow)}
    branch = by_slug(flow)["way"]
    assert isinstance(branch, BranchStep)
    return cut_off_by(branch, dependents(flow), flows)


def test_a_route_that_nothing_else_leads_to_is_cut_off_with_all_behind_it() -> None:
    flow = BEGUN.step("a", depends_on="way").step("b", depends_on="way")
    flow = flow.step("last", depends_on=["left", "right"])
    flow = flow.step("left", depends_on="a").step("right", depends_on="a")
    [(target, behind), alone] = cut_off(flow).items()
    assert (target, behind[0], behind[-1]) == ("a", "a", "last")
    assert {*behind[1:-1]} == {"left", "right"}
    assert alone == ("b", ("b",))


def test_a_step_where_routes_meet_keeps_both_of_them() -> None:
    flow = BEGUN.step("a", depends_on="way").step("b", depends_on="way")
    assert cut_off(flow.step("both", depends_on=["a", "b"])) == {}


def test_what_depends_on_something_else_too_keeps_its_route_and_no_other() -> None:
    flow = BEGUN.step("a", depends_on="way").step("b", depends_on="way")
    assert cut_off(flow.step("late", depends_on=["a", "other"])) == {"b": ("b",)}
    beside = BEGUN.step("a", depends_on=["way", "other"]).step("b", depends_on="way")
    assert cut_off(beside) == {"b": ("b",)}


@pytest.mark.parametrize(
    "flow",
    [
        BEGUN.map("a", depends_on="way"),
        BEGUN.subflow("a", "lists", depends_on="way"),
        BEGUN.subflow("a", "repeats", depends_on="way"),
        BEGUN.subflow("a", "inner", over="way", depends_on="way"),
        BEGUN.subflow("a", "inner", mode="run", depends_on="way"),
        BEGUN.step("a", depends_on="way").loop(
            "again", back_to="a", condition="false", max_iterations=2, depends_on="a"
        ),
        BEGUN.step("a", depends_on="way").step("x", depends_on="a").map("m", depends_on="x"),
    ],
)
def test_what_says_how_many_parts_it_has_keeps_its_route(flow: Flow) -> None:
    assert cut_off(flow.step("b", depends_on="way")) == {"b": ("b",)}


def test_a_subflow_is_cut_off_with_all_that_is_inside() -> None:
    flow = BEGUN.subflow("a", "outer", depends_on="way").step("b", depends_on="way")
    assert cut_off(flow)["a"] == ("a",)
    step = by_slug(flow)["a"]
    assert isinstance(step, SubflowStep)
    inside = list(steps_inside(step, {"outer": OUTER, "inner": INNER}))
    assert inside == [("first",), ("deep", "one"), ("deep", "two")]


def test_steps_that_wait_further_branches_and_joins_are_cut_off_too() -> None:
    flow = (
        BEGUN.step("b", depends_on="way")
        .approval("a", prompt="Well?", depends_on="way")
        .branch("inner", rules=[("true", "x")], default_path="y", depends_on="a")
        .wait("x", signal="s", depends_on="inner")
        .sleep("y", seconds=1, depends_on="inner")
        .join("z", depends_on=["x", "y"], wait="any")
    )
    assert {*cut_off(flow)["a"]} == {"a", "inner", "x", "y", "z"}
