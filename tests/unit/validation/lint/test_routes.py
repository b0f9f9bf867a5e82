"""Warnings about branches, joins and loops."""

from typing import Any

import pytest

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.validation.lint.conditions import conditions_can_hold
from dagster_pgflow.validation.lint.delays import delays_have_an_effect
from dagster_pgflow.validation.lint.joins import joins_can_do_without
from dagster_pgflow.validation.lint.lint import lint
from dagster_pgflow.validation.lint.loops import loops_come_to_an_end
from dagster_pgflow.validation.lint.map_sources import maps_are_fed_lists
from dagster_pgflow.validation.lint.mapped_skips import mappings_need_what_is_there
from dagster_pgflow.validation.lint.settings import settings_have_an_effect
from dagster_pgflow.validation.lint.targets import targets_have_one_leader
from dagster_pgflow.validation.validate import validate
from tests.unit.validation.problems import places, problems_found

ROUTED = (
    Flow("f")
    .step("a")
    .branch("route", rules=[("output.ok", "x")], default_path="y", depends_on="a")
    .step("x", depends_on="route")
    .step("y", depends_on="route")
)


def looped(condition: str, **more: Any) -> Flow:
    fields: dict[str, Any] = {"back_to": "x", "depends_on": "x", "max_iterations": 4} | more
    return Flow("f").step("x").loop("l", condition=condition, **fields)


def test_ways_as_they_are_meant_are_no_warning() -> None:
    flow = ROUTED.join("j", wait="any", depends_on=["x", "y"])
    flow = flow.loop(
        "l", back_to="l", condition="output.more", max_iterations=9, handler="h", depends_on="j"
    )
    no_default = Flow("f").branch("b", rules=[("output.ok", "c")]).step("c", depends_on="b")
    for sound in (flow, no_default, looped("ctx.iteration < 3")):
        assert validate(sound) == ()
        assert lint(sound) == ()


@pytest.mark.parametrize("wait", ["any", 1, 2])
def test_a_join_of_steps_that_always_run_gets_them_all(wait: Any) -> None:
    flow = Flow("f").step("a").step("b", depends_on="a").join("j", wait=wait, depends_on=["a", "b"])
    assert problems_found(joins_can_do_without, flow) == [
        (
            "join-waits-for-all",
            "steps.j.wait",
            (
                f'Join "j" waits for {wait} of its dependencies, but none of them is ever skipped,'
                ' so it gets them all; say "all", or leave wait out.'
            ),
        )
    ]


@pytest.mark.parametrize(
    "before",
    [
        Flow("f").step("a", run_if="true").step("b"),
        Flow("f").step("a", when_exhausted="skip").step("b"),
        Flow("f").step("z", if_={}, when_unmet="skip-cascade").step("a", depends_on="z").step("b"),
        Flow("f").map("z", when_exhausted="skip-cascade").map("a", depends_on="z").step("b"),
        Flow("f").branch("z", rules=[("true", "a")]).step("a", depends_on="z").step("b"),
        Flow("f")
        .branch("z", rules=[("true", "y")])
        .step("y", depends_on="z")
        .step("a", depends_on="y")
        .step("b"),
        Flow("f").subflow("z", "g", on_failure="a").step("a", depends_on="z").step("b"),
    ],
)
def test_a_join_may_do_without_what_may_be_skipped(before: Flow) -> None:
    flow = before.join("j", wait="any", depends_on=["a", "b"])
    assert problems_found(joins_can_do_without, flow) == []


def test_a_skip_that_others_run_without_reaches_no_join_behind_them() -> None:
    flow = Flow("f").step("z", run_if="true").step("a", depends_on="z").step("b")
    assert places(joins_can_do_without, flow.join("j", wait=1, depends_on=["a", "b"])) == [
        ("join-waits-for-all", "steps.j.wait")
    ]


@pytest.mark.parametrize("condition", ["true", "flow_input.n > 1", "ctx.max_iterations > 2"])
def test_a_loop_asks_for_something_that_changes(condition: str) -> None:
    assert problems_found(loops_come_to_an_end, looped(condition)) == [
        (
            "loop-condition-never-changes",
            "steps.l.condition",
            (
                'Loop "l" asks for nothing that changes from iteration to iteration, so that it'
                " ends after one or always runs 4; ask for its output, deps.<step> or"
                " ctx.iteration."
            ),
        )
    ]


@pytest.mark.parametrize(
    "condition", ["output.n > 1", "deps.x.n > 1", "input.x.n > 1", "ctx.iteration < 2", "1 +"]
)
def test_a_loop_that_does_is_no_warning(condition: str) -> None:
    assert problems_found(loops_come_to_an_end, looped(condition)) == []


def test_a_loop_around_itself_has_something_to_do() -> None:
    flow = looped("ctx.iteration < 2", back_to="l")
    assert problems_found(loops_come_to_an_end, flow) == [
        (
            "loop-around-nothing",
            "steps.l.back_to",
            (
                'Loop "l" repeats only itself and has no handler, so nothing happens in'
                " an iteration; name a handler, or go back to a step before it."
            ),
        )
    ]
    assert problems_found(loops_come_to_an_end, looped("output.n", back_to="l", handler="h")) == []


def test_a_step_that_two_branches_lead_to_waits_for_both() -> None:
    flow = Flow("f").branch("b", rules=[("true", "t")]).branch("c", rules=[("true", "t")])
    assert problems_found(targets_have_one_leader, flow.step("t", depends_on=["b", "c"])) == [
        (
            "target-of-many",
            "steps.t.depends_on",
            (
                'Step "t" is what "b" and "c" lead to, and runs only when all of them do; where one'
                ' is enough, let it be a join that waits for "any".'
            ),
        )
    ]
    assert problems_found(targets_have_one_leader, flow.join("t", wait="any", depends_on="b")) == []


def test_a_step_that_branches_lead_to_of_which_one_follows_the_other_is_no_warning() -> None:
    flow = Flow("f").branch("b", rules=[("true", "c")], default_path="t")
    flow = flow.branch("c", rules=[("true", "t")], depends_on="b")
    assert problems_found(targets_have_one_leader, flow.step("t", depends_on=["b", "c"])) == []


def test_what_has_no_handler_has_no_attempts() -> None:
    flow = (
        Flow("f", max_attempts=1)
        .branch("b", rules=[("true", "c")], timeout=3, when_exhausted="skip", base_delay=2)
        .join("j", max_attempts=2, depends_on=["b", "c"])
        .branch("h", rules=[("true", "c")], timeout=3, handler="x")
    )
    assert places(delays_have_an_effect, flow) == []
    assert problems_found(settings_have_an_effect, flow) == [
        (
            "setting-without-effect",
            "steps.b",
            (
                'Step "b" has no handler that could be tried or fail, so this has no effect:'
                " base_delay, timeout, when_exhausted; name a handler, or leave it out."
            ),
        ),
        (
            "setting-without-effect",
            "steps.j",
            (
                'Step "j" has no handler that could be tried or fail, so this has no effect:'
                " max_attempts; leave it out."
            ),
        ),
    ]


def test_a_map_over_what_is_an_object_is_a_warning() -> None:
    flow = ROUTED.join("j", depends_on=["x", "y"]).map("m", depends_on="j")
    flow = flow.branch("b", rules=[("true", "n")], depends_on=["x", "y"]).map("n", depends_on="b")
    assert [message for *_, message in problems_found(maps_are_fed_lists, flow)] == [
        (
            'Map step "m" maps over the output of join "j", an object of its dependencies; it'
            " needs a list."
        ),
        'Map step "n" maps over what "b" hands on, an object of its dependencies; it needs a list.',
    ]
    one = ROUTED.map("m", depends_on="route")
    assert problems_found(maps_are_fed_lists, one) == []


def test_a_pattern_may_ask_for_what_a_loop_returned() -> None:
    flow = Flow("f").step("a").step("x", depends_on="a", if_not={"l": {"done": True}})
    flow = flow.loop("l", back_to="x", condition="output.n", max_iterations=3, depends_on="x")
    assert problems_found(conditions_can_hold, flow) == []
    joined = ROUTED.join("j", depends_on=["x", "y"]).step("z", depends_on="j", if_={"j": []})
    assert places(conditions_can_hold, joined) == [("condition-never-holds", "steps.z.if")]


def test_a_mapping_does_not_need_a_way_that_the_run_may_not_take() -> None:
    flow = ROUTED.subflow("s", "g", input={"n": "$nodes.x.n"}, depends_on=["x", "y"])
    assert problems_found(mappings_need_what_is_there, flow) == [
        (
            "reference-to-a-skip",
            "steps.s.input.n",
            (
                'Step "s" also runs when "route" leads elsewhere than to "x"; this then leads'
                " nowhere and the step fails; let a single step before it choose what to take."
            ),
        )
    ]
    alone = ROUTED.subflow("s", "g", input={"n": "$nodes.x.n"}, depends_on=["x", "a"])
    assert problems_found(mappings_need_what_is_there, alone) == []


def test_the_output_of_a_join_has_the_fields_of_its_dependencies() -> None:
    flow = ROUTED.join("j", depends_on=["x", "y"])
    right = flow.subflow("s", "g", input={"n": "$nodes.j.x.n"}, depends_on="j")
    wrong = flow.subflow("s", "g", input={"n": "$nodes.j.z"}, depends_on="j")
    assert validate(right) == ()
    [problem] = validate(wrong)
    assert (problem.code, problem.path) == ("reference-leads-nowhere", "steps.s.input.n")
    assert problem.message == "$nodes.j.z leads nowhere: $nodes.j has the fields x, y."
