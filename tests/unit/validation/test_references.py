from typing import Any

import pytest

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.validation.references import references_lead_to_steps
from dagster_pgflow.validation.validate import validate
from tests.unit.validation.problems import places, problems_found

CHILD = Flow("child").step("a").step("last", depends_on="a").step("other")
KNOWN = {"child": CHILD}


def outer(**settings: Any) -> Flow:
    flow = Flow("f").step("cart").step("later")
    return flow.subflow("s", CHILD, **{"depends_on": "cart", **settings})


@pytest.mark.parametrize(
    "settings",
    [
        {"input": {"x": "$nodes.cart", "y": ["$input", "to ${$nodes.cart.name}"], "z": "$$x"}},
        {"input": {"x": "5 $", "y": None, "z": {}}},
        {"output": "$nodes.last"},
        {"output": {"x": ["$nodes.last.rows[0].id", "${$nodes.other}"]}},
        {"over": "cart", "input": {"x": "$item.sku", "y": "$item"}},
        {"over": "$nodes.cart.rows", "output": "$nodes.last"},
    ],
)
def test_references_to_what_is_there_are_sound(settings: dict[str, Any]) -> None:
    assert problems_found(references_lead_to_steps, outer(**settings), KNOWN) == []
    assert validate(outer(**settings), KNOWN) == ()


@pytest.mark.parametrize("text", ["$foo", "$nodes", "$nodes.a b", "${input.x}", "${}", "$input."])
@pytest.mark.parametrize("field", ["input", "output"])
def test_a_text_that_is_no_reference_is_told_with_its_place(field: str, text: str) -> None:
    flow = outer(**{field: {"x": [1, {"y": text}]}})
    [(code, path, message)] = problems_found(references_lead_to_steps, flow, KNOWN)
    assert (code, path) == ("invalid-reference", f"steps.s.{field}.x[1].y")
    assert "reference" in message or "$nodes.<step>" in message


def test_each_of_several_is_told() -> None:
    flow = outer(input={"x": "$a", "y": "$b"}, output="$c")
    assert [place for _, place in places(references_lead_to_steps, flow)] == [
        "steps.s.input.x",
        "steps.s.input.y",
        "steps.s.output",
    ]


def test_the_input_refers_to_dependencies() -> None:
    flow = outer(input={"x": "$nodes.later.n", "y": "$nodes.ghost"})
    assert problems_found(references_lead_to_steps, flow) == [
        (
            "reference-to-no-dependency",
            "steps.s.input.x",
            (
                '$nodes.later.n refers to "later", which step "s" does not depend on; add "later"'
                " to its depends_on."
            ),
        ),
        (
            "reference-to-no-dependency",
            "steps.s.input.y",
            (
                '$nodes.ghost refers to "ghost", which step "s" does not depend on; it can refer to'
                " steps that it depends on, and to $input."
            ),
        ),
    ]


def test_the_output_refers_to_final_steps() -> None:
    flow = outer(output={"x": "$nodes.a", "y": "$input.n"})
    assert problems_found(references_lead_to_steps, flow, KNOWN) == [
        (
            "reference-to-no-final-step",
            "steps.s.output.x",
            (
                '$nodes.a refers to "a", which is not a final step of flow "child"; use one of:'
                " last, other."
            ),
        ),
        (
            "reference-to-flow-input",
            "steps.s.output.y",
            (
                '$input.n cannot be part of what step "s" returns; refer to final steps of flow'
                ' "child": $nodes.<final step>.'
            ),
        ),
    ]


@pytest.mark.parametrize("known", [None, {}, {"child": Flow("child")}])
def test_nothing_is_said_of_final_steps_that_are_not_known(known: Any) -> None:
    assert problems_found(references_lead_to_steps, outer(output="$nodes.ghost"), known) == []


@pytest.mark.parametrize(
    "settings",
    [{"input": {"x": "$item"}}, {"output": {"x": "$item.n"}}, {"over": "$item.rows"}],
)
def test_an_item_is_only_where_there_is_a_list(settings: dict[str, Any]) -> None:
    found = problems_found(references_lead_to_steps, outer(**settings), KNOWN)
    assert [code for code, *_ in found] == ["reference-to-no-item"]
