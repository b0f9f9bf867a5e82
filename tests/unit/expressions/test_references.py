"""References and templates."""

from typing import Any

import pytest

from dagster_pgflow.errors import InvalidReference
from dagster_pgflow.expressions.references import (
    Reference,
    filled,
    is_filled_in,
    params_filled,
    reference,
    references_in,
)
from dagster_pgflow.step_errors import ReferenceFailed

VALUES: dict[str, dict[str, Any]] = {
    "nodes": {
        "prepare": {"amount": 5, "items": [{"sku": "a"}, None]},
        "empty": None,
        # In a text it stands as it does after it was kept as jsonb.
        "long": {"b": 1.5, "a": [1e22, -0.0]},
    },
    "input": {"id": 7, "name": "Ada"},
}


@pytest.mark.parametrize(
    ("template", "value"),
    [
        ("$nodes.prepare", VALUES["nodes"]["prepare"]),
        ("$nodes.prepare.amount", 5),
        ("$nodes.prepare.items.0.sku", "a"),
        ("$nodes.prepare.items[0].sku", "a"),
        ("$nodes.prepare.items[1]", None),
        ("$nodes.empty", None),
        ("$input", {"id": 7, "name": "Ada"}),
        ("$input.name", "Ada"),
        ("Order ${$input.id} for ${ $input.name }", "Order 7 for Ada"),
        ("${$input.name}", "Ada"),
        ("${$nodes.prepare.items}", '[{"sku": "a"}, null]'),
        ("${$nodes.long}", '{"a": [10000000000000000000000, 0.0], "b": 1.5}'),
        ("$$nodes.prepare", "$nodes.prepare"),
        ("$$5", "$5"),
        ("plain $5 text", "plain $5 text"),
        (
            {"a": ["$input.id", 1, None], "b": {"c": "$nodes.empty"}},
            {"a": [7, 1, None], "b": {"c": None}},
        ),
        (True, True),
        (0, 0),
    ],
)
def test_a_template_stands_for_its_value(template: Any, value: Any) -> None:
    found = filled(template, VALUES)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "$nodes.ghost",
            (
                "$nodes.ghost leads nowhere: only these steps have an output here: prepare, empty,"
                " long."
            ),
        ),
        (
            "$nodes.prepare.total",
            "$nodes.prepare.total leads nowhere: $nodes.prepare has the keys amount, items.",
        ),
        (
            "$nodes.prepare.items.2",
            "$nodes.prepare.items.2 leads nowhere: $nodes.prepare.items is a list of 2.",
        ),
        (
            "$nodes.prepare.items.sku",
            "$nodes.prepare.items.sku leads nowhere: $nodes.prepare.items is a list of 2.",
        ),
        (
            "$nodes.prepare.amount.x",
            "$nodes.prepare.amount.x leads nowhere: $nodes.prepare.amount is 5.",
        ),
        ("$nodes.empty.x", "$nodes.empty.x leads nowhere: $nodes.empty is null."),
        ("$input.name.0", '$input.name.0 leads nowhere: $input.name is "Ada".'),
        ("x ${$input.no}", "$input.no leads nowhere: $input has the keys id, name."),
    ],
)
def test_a_reference_that_leads_nowhere_says_what_is_there(text: str, message: str) -> None:
    with pytest.raises(ReferenceFailed) as caught:
        filled(text, VALUES)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    "text", ["$", "$node.a", "$nodes", "$nodes.", "$nodes..a", "$inputs", "$nodes.a b", "$input[x]"]
)
def test_what_looks_like_a_reference_and_is_none_is_refused(text: str) -> None:
    with pytest.raises(InvalidReference):
        reference(text)


def test_references_are_found_with_their_places() -> None:
    template = {"a": "$input.x", "b": ["no", "is ${$nodes.s.y} and ${$nodes.t}"], "c": "$$input"}
    assert list(references_in(template, "input")) == [
        ("input.a", Reference("input", ("x",))),
        ("input.b[1]", Reference("nodes", ("s", "y"))),
        ("input.b[1]", Reference("nodes", ("t",))),
    ]


def test_a_reference_knows_its_step_and_its_text() -> None:
    assert reference("$nodes.s[0].a").step == "s"
    assert str(reference("$nodes.s[0].a")) == "$nodes.s.0.a"
    assert reference("$input.s").step is None


def test_an_index_with_more_digits_than_python_reads_leads_nowhere() -> None:
    with pytest.raises(ReferenceFailed, match="leads nowhere"):
        filled("$nodes.prepare.items." + "9" * 5000, VALUES)


SECRETS = {"TOKEN": "s3cr3t ${$input.id} $input.id"}


@pytest.mark.parametrize(
    ("params", "value"),
    [
        ({"a": "$nodes.cart.sum", "b": ["$input.id"]}, {"a": 7, "b": ["c1"]}),
        ({"a": "No ${$input.id}!"}, {"a": "No c1!"}),
        ({"a": "costs $5", "b": "$5", "c": "$HOME/x", "d": "$"}, None),
        ({"a": "${HOME} and ${ $x }", "b": "$nodes", "c": "$nodesx.a", "d": "$item s"}, None),
        ({"a": "$$input.id", "b": "$$5"}, {"a": "$input.id", "b": "$5"}),
        ({"a": "Bearer ${secret:TOKEN}"}, {"a": f"Bearer {SECRETS['TOKEN']}"}),
        ({"a": "${secret:TO KEN}", "b": "$secret:TOKEN"}, None),
        (
            {"a": "$input.evil", "b": "${$input.evil}"},
            {"a": "${secret:TOKEN}", "b": "${secret:TOKEN}"},
        ),
        ({"a": 1, "b": None, "c": {"d": [True]}}, None),
    ],
)
def test_params_are_a_template_in_which_only_what_is_well_formed_counts(
    params: dict[str, Any], value: Any
) -> None:
    values = {"nodes": {"cart": {"sum": 7}}, "input": {"id": "c1", "evil": "${secret:TOKEN}"}}
    assert params_filled(params, values, SECRETS.__getitem__) == (value or params)
    assert is_filled_in(params) is (value is not None)


def test_a_reference_of_params_that_leads_nowhere_says_where_it_stands() -> None:
    with pytest.raises(ReferenceFailed) as failed:
        params_filled({"a": [{"b": "x ${$input.id}"}]}, {"input": {}}, str)
    assert str(failed.value) == (
        "params.a[0].b: $input.id leads nowhere: $input has the keys (none)."
    )


def test_a_root_that_there_is_not_leads_nowhere() -> None:
    with pytest.raises(
        ReferenceFailed, match=r"params\.a: \$item leads nowhere: there is no \$item"
    ):
        params_filled({"a": "$item"}, {"input": {}}, str)
