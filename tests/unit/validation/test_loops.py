from typing import Any

import pytest

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.steps.loop import MOST_ITERATIONS
from dagster_pgflow.validation.kinds import steps_keep_their_rules
from dagster_pgflow.validation.loop_bodies import loops_repeat_whole_parts
from dagster_pgflow.validation.loops import loops_go_back
from dagster_pgflow.validation.validate import validate
from tests.unit.validation.problems import places, problems_found

PLAN = Flow("f").step("plan").step("draft", depends_on="plan").step("judge", depends_on="draft")


def looped(flow: Flow, slug: str, back_to: str, deps: str | list[str], **more: Any) -> Flow:
    fields: dict[str, Any] = {"condition": "output.again", "max_iterations": 3} | more
    return flow.loop(slug, back_to=back_to, depends_on=deps, **fields)


REFINED = looped(PLAN, "refine", "draft", "judge")


@pytest.mark.parametrize("iterations", [1, MOST_ITERATIONS])
def test_a_loop_around_the_steps_before_it_is_sound(iterations: int) -> None:
    flow = looped(PLAN, "refine", "draft", ["plan", "judge"], max_iterations=iterations)
    flow = flow.step("publish", depends_on=["plan", "refine"])
    assert validate(flow) == ()


def test_a_loop_may_repeat_only_itself() -> None:
    assert validate(looped(PLAN, "ask", "ask", "plan", handler="poll")) == ()
    assert validate(looped(Flow("f"), "ask", "ask", [], handler="poll")) == ()


@pytest.mark.parametrize(
    ("flow", "code", "told"),
    [
        (looped(PLAN, "refine", "nowhere", "judge"), "unknown", "which is not a step of this flow"),
        (
            looped(PLAN, "refine", "judge", "plan"),
            "not-before",
            "which does not come before it; let the loop depend on that step, or on one behind it.",
        ),
        (
            looped(PLAN, "refine", "later", "judge").step("later", depends_on="refine"),
            "not-before",
            "which does not come before it",
        ),
        (
            looped(PLAN.map("each", depends_on="judge"), "refine", "each", "each"),
            "is-a-map",
            "a map step, which would have no list to map over from the second iteration on; put a",
        ),
    ],
)
def test_a_loop_goes_back_to_a_step_before_it(flow: Flow, code: str, told: str) -> None:
    [(found, path, message)] = problems_found(loops_go_back, flow)
    assert (found, path) == (f"loop-start-{code}", "steps.refine.back_to")
    assert told in message


@pytest.mark.parametrize("iterations", [0, -1, MOST_ITERATIONS + 1])
def test_the_number_of_iterations_is_in_range(iterations: int) -> None:
    flow = looped(PLAN, "refine", "draft", "judge", max_iterations=iterations)
    assert problems_found(steps_keep_their_rules, flow) == [
        (
            "iterations-out-of-range",
            "steps.refine.max_iterations",
            f"max_iterations is {iterations}; it must be from 1 to 1000.",
        )
    ]


def test_a_loop_always_decides() -> None:
    flow = looped(
        PLAN,
        "refine",
        "draft",
        "judge",
        if_={},
        if_not={"judge": 1},
        run_if="true",
        run_unless="false",
        when_exhausted="skip",
    )
    assert places(steps_keep_their_rules, flow) == [
        ("loop-with-condition", "steps.refine.if"),
        ("loop-with-condition", "steps.refine.if_not"),
        ("loop-with-condition", "steps.refine.run_if"),
        ("loop-with-condition", "steps.refine.run_unless"),
        ("loop-that-is-skipped", "steps.refine.when_exhausted"),
    ]
    messages = [message for *_, message in problems_found(steps_keep_their_rules, flow)]
    assert messages[2] == (
        'Loop "refine" decides after each iteration and cannot be left out of one; move run_if to'
        ' "draft", or to a step before the loop.'
    )


def test_what_stands_behind_a_loop_depends_on_the_loop_alone() -> None:
    flow = REFINED.step("log", depends_on=["draft", "refine", "judge"])
    assert places(loops_repeat_whole_parts, flow) == [
        ("loop-left-before-its-end", "steps.log.depends_on"),
        ("loop-left-before-its-end", "steps.log.depends_on"),
    ]
    assert problems_found(loops_repeat_whole_parts, flow)[0][2] == (
        'Step "log" depends on "draft", which loop "refine" repeats; let it depend on "refine"'
        ' instead, or let "refine" depend on it, so that it is repeated too.'
    )


def test_a_step_that_leaves_two_loops_is_told_once() -> None:
    flow = looped(REFINED, "all_over", "plan", "refine").step("log", depends_on="draft")
    [(_, _, message)] = problems_found(loops_repeat_whole_parts, flow)
    assert 'which loop "all_over" repeats' in message
    inside = looped(REFINED.step("log", depends_on="draft"), "all_over", "plan", ["refine", "log"])
    [(_, _, message)] = problems_found(loops_repeat_whole_parts, inside)
    assert 'which loop "refine" repeats' in message


@pytest.mark.parametrize("back_to", ["plan", "draft"])
def test_loops_may_lie_within_loops(back_to: str) -> None:
    assert validate(looped(REFINED, "all_over", back_to, "refine")) == ()


def test_loops_may_follow_each_other() -> None:
    flow = looped(REFINED.step("print", depends_on="refine"), "again", "print", "print")
    assert validate(flow) == ()


@pytest.mark.parametrize("back_to", ["judge", "refine"])
def test_loops_do_not_overlap(back_to: str) -> None:
    flow = looped(REFINED, "all_over", back_to, "refine")
    [(code, path, message)] = problems_found(loops_repeat_whole_parts, flow)
    shared = min(back_to, "refine")
    assert (code, path) == ("loops-overlap", "steps.all_over.back_to")
    assert f'both repeat "{shared}", and neither lies within the other' in message


def test_a_subflow_and_its_failure_step_are_repeated_together() -> None:
    start = PLAN.subflow("try", "g", depends_on="draft", on_failure="mend")
    mend = start.step("mend", depends_on="try")
    assert validate(looped(mend, "refine", "draft", ["judge", "try", "mend"])) == ()
    inside = looped(mend, "refine", "draft", ["judge", "try"])
    before = PLAN.subflow("try", "g", on_failure="mend").step("mend", depends_on=["try", "draft"])
    assert validate(looped(before, "refine", "draft", ["judge", "mend"])) == ()
    assert problems_found(loops_repeat_whole_parts, inside) == [
        (
            "failure-step-across-a-loop",
            "steps.try.on_failure",
            (
                'Step "try" goes on with "mend" when it fails, but loop "refine" repeats "try" and'
                ' not "mend"; let it repeat both, or let "refine" go on with "mend".'
            ),
        )
    ]


def test_where_a_loop_fails_the_run_goes_on_behind_it() -> None:
    flow = looped(PLAN, "refine", "draft", "judge")
    failing = flow.steps[-1].model_copy(update={"on_failure": "mend"})
    flow = flow.model_copy(update={"steps": (*flow.steps[:-1], failing)})
    assert validate(flow.step("mend", depends_on="refine")) == ()


def test_what_a_loop_repeats_is_not_asked_where_steps_wait_for_each_other() -> None:
    flow = looped(Flow("f").step("a", depends_on="again"), "again", "a", "a")
    assert [problem.code for problem in validate(flow)] == ["dependency-cycle"]


def test_maps_and_lists_may_be_repeated() -> None:
    flow = PLAN.map("each", depends_on="judge").map("then", depends_on="each", pipelined=True)
    flow = flow.subflow("all", "g", depends_on="draft", over="draft")
    assert validate(looped(flow, "refine", "draft", ["then", "all"]), {"g": Flow("g")}) == ()


def taking(*required: str, **schema: Any) -> dict[str, Flow]:
    schema = {"type": "object", "required": list(required), **schema}
    return {"g": Flow("g", input_schema=schema).step("x")}


def test_a_flow_that_a_loop_goes_back_to_takes_what_the_loop_returned() -> None:
    flow = looped(Flow("f").step("a").subflow("s", "g", depends_on="a"), "again", "s", "s")
    assert validate(flow, taking("a", additionalProperties={})) == ()
    closed = taking(properties={"a": {}}, additionalProperties=False)
    assert [(one.code, one.path) for one in validate(flow, closed)] == [
        ("unknown-input-field", "steps.s.input")
    ]
    first = looped(Flow("f").subflow("s", "g"), "again", "s", "s")
    assert [one.code for one in validate(first, taking("order"))] == ["missing-input-field"]
    assert validate(first, taking()) == ()


def test_what_a_loop_returned_cannot_be_referred_to_in_its_first_pass() -> None:
    flow = Flow("f").subflow("s", "g", input={"n": "$nodes.again.n"})
    [problem] = validate(looped(flow, "again", "s", "s"))
    assert problem.code == "reference-to-no-dependency"
    assert (
        "what that loop returned is there from its second iteration on; let it" in problem.message
    )
