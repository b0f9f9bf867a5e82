from typing import Any

import pytest

from dagster_pgflow.errors import InvalidFlow
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.validation.kinds import steps_keep_their_rules
from dagster_pgflow.validation.validate import parse_flow, validate
from tests.unit.validation.problems import problems_found

TWO = Flow("f").step("a").step("b")


@pytest.mark.parametrize("wait", ["all", "any", 1, 2])
def test_a_join_of_two_waits_for_up_to_two(wait: Any) -> None:
    assert validate(TWO.join("j", wait=wait, depends_on=["a", "b"])) == ()


@pytest.mark.parametrize("wait", [0, -1, 3])
def test_a_join_waits_for_as_many_as_there_are(wait: int) -> None:
    flow = TWO.join("j", wait=wait, depends_on=["a", "b", "a"])
    assert problems_found(steps_keep_their_rules, flow) == [
        (
            "wait-out-of-range",
            "steps.j.wait",
            (
                f'Join "j" waits for {wait} of 2 dependencies; the number must be from 1 to 2, or'
                ' say "any" or "all".'
            ),
        )
    ]


@pytest.mark.parametrize(
    ("deps", "stated"), [([], "has no dependencies"), (["a", "a"], "has one dependency")]
)
def test_a_join_has_something_to_join(deps: list[str], stated: str) -> None:
    flow = TWO.join("j", wait=7, depends_on=deps)
    assert problems_found(steps_keep_their_rules, flow) == [
        (
            "join-of-too-few",
            "steps.j.depends_on",
            (
                f'Join "j" {stated}, and a join brings at least two paths together; add what is'
                " missing to its depends_on, or leave the join out."
            ),
        )
    ]


@pytest.mark.parametrize("wait", [True, "most", 1.0, "2", None, [1]])
def test_what_is_no_number_and_no_word_is_told_in_one_sentence(wait: Any) -> None:
    with pytest.raises(InvalidFlow) as caught:
        TWO.join("j", wait=wait, depends_on=["a", "b"])
    [problem] = caught.value.problems
    assert problem.path == "steps.j.wait"
    assert problem.message == f'wait is {wait!r}; it must be "all", "any" or a number.'
    with pytest.raises(InvalidFlow) as caught:
        parse_flow({"slug": "f", "steps": [{"type": "join", "slug": "j", "wait": wait}]})
    [problem] = caught.value.problems
    assert problem.path == "steps.0.wait"
    assert problem.message == f'Input should be "all", "any" or a number; got {wait!r}.'
