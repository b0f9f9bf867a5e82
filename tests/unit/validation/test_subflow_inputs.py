from typing import Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.schema import json_schema_of
from dagster_pgflow.validation.subflow_inputs import subflows_get_what_they_take
from dagster_pgflow.validation.subflow_outputs import subflows_return_what_there_is
from dagster_pgflow.validation.validate import validate
from tests.unit.validation.problems import places, problems_found


class Card(BaseModel):
    number: str
    cvc: int | None = None


class Bill(BaseModel):
    amount: int
    card: Card
    currency: Literal["EUR", "USD"] = "EUR"


class Line(BaseModel):
    item: str
    price: float


class Cart(BaseModel):
    total: int
    name: str
    card: Card
    lines: list[Line]
    note: str | None = None
    parent: "Cart | None" = None


class Receipt(BaseModel):
    id: str


PAY = Flow("pay", input_schema=Bill).step("check").step("receipt", depends_on="check")
PAY = PAY.model_copy(
    update={
        "steps": (
            PAY.steps[0],
            PAY.steps[1].model_copy(update={"output_schema": json_schema_of(Receipt)}),
        )
    }
)
KNOWN = {"pay": PAY}
GOOD = {"amount": "$nodes.cart.total", "card": "$nodes.cart.card"}


def returning(slug: str, kind: Any) -> Flow:
    step = Flow("x").step(slug).steps[0].model_copy(update={"output_schema": json_schema_of(kind)})
    return Flow("f").model_copy(update={"steps": (step,)})


def order(input: Any = None, **settings: Any) -> Flow:
    flow = returning("cart", Cart)
    return flow.subflow("p", "pay", depends_on="cart", input=input, **settings)


def found(input: Any, child: Flow = PAY) -> list[tuple[str, str, str]]:
    return problems_found(subflows_get_what_they_take, order(input), {"pay": child})


def taking(schema: Any) -> Flow:
    return Flow("pay", input_schema=schema).step("x")


@pytest.mark.parametrize(
    "input",
    [
        GOOD,
        {**GOOD, "currency": "USD"},
        {"amount": 5, "card": {"number": "4111", "cvc": None}},
        {"amount": "$nodes.cart.parent.parent.total", "card": {"number": "${$nodes.cart.total}"}},
        {"amount": 1.0, "card": {"number": "$nodes.cart.note"}},
        {"amount": "$input.what.ever", "card": "$nodes.cart.parent.card"},
        {**GOOD, "something_else": 1},
    ],
)
def test_what_can_be_is_sound(input: Any) -> None:
    assert validate(order(input), KNOWN) == ()


@pytest.mark.parametrize(
    ("input", "code", "path", "told"),
    [
        (
            {"card": "$nodes.cart.card"},
            "missing-input-field",
            "steps.p.input",
            'Step "p" cannot give flow "pay" this input: it lacks "amount", which is required.',
        ),
        (
            {**GOOD, "card": {"cvc": 5}},
            "missing-input-field",
            "steps.p.input.card",
            '"card" lacks "number", which is required.',
        ),
        (
            {**GOOD, "curency": "USD"},
            "unknown-input-field",
            "steps.p.input.curency",
            '"curency" is no field of it; "currency" may be meant.',
        ),
        (
            {**GOOD, "amount": "5"},
            "wrong-input-type",
            "steps.p.input.amount",
            '"amount" is text, but must be an integer.',
        ),
        (
            {**GOOD, "amount": 1.5},
            "wrong-input-type",
            "steps.p.input.amount",
            '"amount" is a number, but must be an integer.',
        ),
        (
            {**GOOD, "amount": "$nodes.cart.name"},
            "wrong-input-type",
            "steps.p.input.amount",
            '"amount" is text, but must be an integer.',
        ),
        (
            {**GOOD, "amount": "${$nodes.cart.total}"},
            "wrong-input-type",
            "steps.p.input.amount",
            '"amount" is text, but must be an integer.',
        ),
        (
            {**GOOD, "card": "$nodes.cart.lines.0"},
            "missing-input-field",
            "steps.p.input.card",
            '"card" lacks "number", which is required.',
        ),
        (
            {**GOOD, "card": {"number": "1", "cvc": "$nodes.cart.lines"}},
            "wrong-input-type",
            "steps.p.input.card.cvc",
            '"card.cvc" is a list, but must be null or an integer.',
        ),
        (
            {**GOOD, "currency": "GBP"},
            "wrong-input-type",
            "steps.p.input.currency",
            "\"currency\" does not fit: 'GBP' is not one of ['EUR', 'USD'].",
        ),
        (
            {**GOOD, "amount": "$nodes.cart.totl"},
            "reference-leads-nowhere",
            "steps.p.input.amount",
            (
                "$nodes.cart.totl leads nowhere: $nodes.cart has the fields total, name, card,"
                ' lines, note, parent; "total" may be meant.'
            ),
        ),
        (
            {**GOOD, "card": {"number": "to ${$nodes.cart.lines.item}"}},
            "reference-leads-nowhere",
            "steps.p.input.card.number",
            "$nodes.cart.lines.item leads nowhere: $nodes.cart.lines is a list.",
        ),
        (
            {**GOOD, "amount": "$nodes.cart.parent.total.cents"},
            "reference-leads-nowhere",
            "steps.p.input.amount",
            "$nodes.cart.parent.total is an integer.",
        ),
    ],
)
def test_what_cannot_be_is_told_with_its_place(input: Any, code: str, path: str, told: str) -> None:
    [(found_code, found_path, message)] = found(input)
    assert (found_code, found_path) == (code, path)
    assert message.endswith(told)


def test_every_problem_is_told_at_once() -> None:
    codes = [code for code, *_ in found({"amont": "$nodes.cart.totl", "card": 5})]
    assert codes == [
        "reference-leads-nowhere",
        "missing-input-field",
        "unknown-input-field",
        "wrong-input-type",
    ]


def test_a_schema_that_allows_no_other_fields_means_it() -> None:
    class Strict(BaseModel):
        model_config = ConfigDict(extra="forbid")
        amount: int

    assert found({"amount": 1, "zebra": 2}, taking(Strict)) == [
        (
            "unknown-input-field",
            "steps.p.input.zebra",
            (
                'Step "p" cannot give flow "pay" this input: "zebra" is no field of it; the fields'
                " are amount."
            ),
        )
    ]


@pytest.mark.parametrize(
    "schema",
    [
        None,
        {},
        {"type": "object"},
        {"required": ["amount"]},
        {"$ref": "https://example.org/other.json"},
        {"$ref": "#/$defs/nowhere"},
        {
            "anyOf": [
                {"type": "null"},
                {"type": "object", "additionalProperties": {"type": "integer"}},
            ]
        },
        {"type": "object", "properties": {"amount": {"type": "no-such-type"}}},
        {"type": "object", "patternProperties": {"^a": {}}, "additionalProperties": True},
    ],
)
def test_where_nothing_certain_is_known_nothing_is_said(schema: Any) -> None:
    assert found({"amount": 5, "amounts": 6}, taking(schema)) == []


def test_a_flow_that_contains_its_own_type_is_compared_in_a_moment() -> None:
    assert found({"x": "$nodes.cart"}, taking({"properties": {"x": json_schema_of(Cart)}})) == []
    same = returning("cart", Cart).subflow(
        "p", "pay", depends_on="cart", input={"x": "$nodes.cart"}
    )

    class Tree(BaseModel):
        x: Cart

    assert validate(same, {"pay": taking(Tree)}) == ()


@pytest.mark.parametrize(
    ("depends_on", "missing"), [("cart", ["amount", "card"]), ("amount", ["card"])]
)
def test_without_a_mapping_required_fields_are_dependencies(
    depends_on: str, missing: list[str]
) -> None:
    flow = Flow("f").step("cart").step("amount").subflow("p", "pay", depends_on=depends_on)
    told = problems_found(subflows_get_what_they_take, flow, KNOWN)
    assert [(code, path) for code, path, _ in told] == [
        ("missing-input-field", "steps.p.input") for _ in missing
    ]
    assert f"Without a mapping it is {{{depends_on}: ...}}; add an input" in told[0][2]


def test_without_dependencies_the_flow_input_arrives() -> None:
    flow = Flow("f", input_schema=Card).subflow("p", "pay")
    # Who starts a flow may send more than its schema lists.
    assert places(subflows_get_what_they_take, flow, KNOWN) == []
    flow = Flow("f", input_schema={"type": "array"}).subflow("p", "pay")
    assert places(subflows_get_what_they_take, flow, KNOWN) == [
        ("wrong-input-type", "steps.p.input")
    ]


def test_the_flow_input_is_typed_too() -> None:
    flow = Flow("f", input_schema=Cart).subflow(
        "p", "pay", input={"amount": "$input.name", "card": "$input.crad"}
    )
    assert places(subflows_get_what_they_take, flow, KNOWN) == [
        ("reference-leads-nowhere", "steps.p.input.card"),
        ("wrong-input-type", "steps.p.input.amount"),
    ]


def test_the_output_of_a_subflow_is_typed_through_its_final_steps_and_its_mapping() -> None:
    flow = order(GOOD, output={"receipt": "$nodes.receipt"})
    for reference, problems in (
        ("$nodes.p.receipt.id", []),
        ("$nodes.p.receipt", ["wrong-input-type"]),
        ("$nodes.p.receipt.idd", ["reference-leads-nowhere"]),
        ("$nodes.p.check", ["reference-leads-nowhere"]),
    ):
        last = flow.subflow("last", "text", depends_on="p", input={"text": reference})
        known = {
            **KNOWN,
            "text": taking({"type": "object", "properties": {"text": {"type": "string"}}}),
        }
        assert [code for code, _ in places(subflows_get_what_they_take, last, known)] == problems


def test_a_failure_step_is_given_the_error_and_the_trace() -> None:
    flow = order(GOOD, on_failure="mend")
    known = {
        **KNOWN,
        "text": taking({"type": "object", "properties": {"text": {"type": "string"}}}),
    }
    for reference, problems in (
        ("$nodes.p.error", []),
        ("$nodes.p.child_trace.0.step", []),
        ("$nodes.p.receipt", ["reference-leads-nowhere"]),
        ("$nodes.p.child_trace", ["wrong-input-type"]),
    ):
        mend = flow.subflow("mend", "text", depends_on="p", input={"text": reference})
        assert [code for code, _ in places(subflows_get_what_they_take, mend, known)] == problems


def test_the_output_mapping_is_held_against_the_final_steps() -> None:
    for output, problems in (
        ("$nodes.receipt.id", []),
        ({"x": "$nodes.receipt.number"}, [("reference-leads-nowhere", "steps.p.output.x")]),
    ):
        flow = order(GOOD, output=output)
        assert places(subflows_return_what_there_is, flow, KNOWN) == problems


def test_a_list_gives_its_items() -> None:
    line = taking(Line)
    flow = returning("cart", Cart).subflow("p", "pay", depends_on="cart", over="$nodes.cart.lines")
    assert validate(flow, {"pay": line}) == ()
    for settings, problem in (
        ({"over": "cart"}, ("over-is-no-list", "steps.p.over")),
        ({"over": "$nodes.cart.total"}, ("over-is-no-list", "steps.p.over")),
        ({"over": "$nodes.cart.line"}, ("reference-leads-nowhere", "steps.p.over")),
        (
            {"over": "$nodes.cart.lines", "input": {"item": "$item.price", "price": 1}},
            ("wrong-input-type", "steps.p.input.item"),
        ),
        (
            {"over": "$nodes.cart.lines", "input": {"item": "$item.itm", "price": 1}},
            ("reference-leads-nowhere", "steps.p.input.item"),
        ),
    ):
        flow = returning("cart", Cart).subflow("p", "pay", depends_on="cart", **settings)
        assert places(subflows_get_what_they_take, flow, {"pay": line}) == [problem], settings


def test_the_items_of_a_list_are_held_against_the_flow_without_a_mapping_too() -> None:
    flow = returning("cart", Cart).subflow("p", "pay", depends_on="cart", over="$nodes.cart.lines")
    told = problems_found(subflows_get_what_they_take, flow, {"pay": taking(Card)})
    assert [code for code, *_ in told] == ["missing-input-field"]
    assert told[0][2].endswith(
        "It is an item of $nodes.cart.lines; add an input that picks from $item."
    )


def test_the_output_over_a_list_is_a_list() -> None:
    flow = returning("cart", Cart).subflow(
        "p", "pay", depends_on="cart", over="$nodes.cart.lines", output="$nodes.receipt"
    )
    pay = PAY.model_copy(update={"input_schema": None})
    for reference, problems in (
        ("$nodes.p.0.id", []),
        ("$nodes.p.id", ["reference-leads-nowhere"]),
    ):
        last = flow.subflow("last", "any", depends_on="p", input={"x": reference})
        known = {"pay": pay, "any": Flow("any").step("x")}
        assert [code for code, _ in places(subflows_get_what_they_take, last, known)] == problems


def test_flows_that_contain_each_other_are_left_to_another_rule() -> None:
    a = Flow("a").subflow("x", "b", output="$nodes.y.z")
    b = Flow("b").subflow("y", "a", output="$nodes.x.z")
    codes = {problem.code for problem in validate(a, {"a": a, "b": b})}
    assert codes == {"recursive-subflow"}
