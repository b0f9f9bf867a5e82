"""What is wrong in one part hides nothing in another, and makes nothing else look wrong."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from dagster_pgflow import read_manifest
from dagster_pgflow.errors import InvalidFlow

SOUND: dict[str, Any] = {
    "id": "shop/order",
    "input-schema": ["map", ["card", "string"]],
    "cells": {
        "start": {
            "id": "card/check",
            "schema": {
                "input": ["map", ["card", "string"]],
                "output": ["map", ["valid", "boolean"]],
            },
        },
        "charge": {
            "id": "card/charge",
            "schema": {
                "input": ["map", ["valid", "boolean"]],
                "output": ["map", ["paid", "int"]],
            },
        },
        "refuse": "card/refuse",
        "tax": "order/tax",
        "fee": "order/fee",
        "mail": {"id": "mail/send", "schema": {"input": ["map", ["card", "string"]]}},
    },
    "joins": {"sums": {"cells": ["tax", "fee"]}},
    "edges": {
        "start": {"good": "charge", "bad": "refuse"},
        "charge": "sums",
        "sums": {"done": "mail", "failure": "error"},
        "refuse": "end",
        "mail": "end",
    },
    "dispatches": {"start": [["good", "data.valid"], ["bad", "!data.valid"]]},
    "constraints": [{"type": "must-precede", "cell": "start", "before": "mail"}],
}
Plant = Callable[[dict[str, Any]], str]


def put(path: str, value: Any, told: str) -> Plant:
    """Return what writes a value somewhere, which is told as `path [code]`."""

    def plant(document: dict[str, Any]) -> str:
        *around, last = path.split(" ")
        part: Any = document
        for name in around:
            part = part[int(name) if isinstance(part, list) else name]
        part[int(last) if isinstance(part, list) else last] = copy.deepcopy(value)
        return told

    return plant


def chained(document: dict[str, Any]) -> str:
    document["cells"]["refuse"] = {"id": "a", "schema": {"input": ["map", ["lost", "int"]]}}
    return "cells.refuse.schema.input [missing-key]"


PLANTS: dict[str, Plant] = {
    "field": put("cels", {}, "cels [unknown-field]"),
    "field of a cell": put("cells tax", {"id": "a", "docs": 1}, "cells.tax.docs [unknown-field]"),
    "cell": put("cells charge", 5, "cells.charge [wrong-value]"),
    "schema": put(
        "cells charge schema",
        {"output": ["mapp", ["paid", "int"]]},
        "cells.charge.schema.output [invalid-schema]",
    ),
    "schema of the input": put("input-schema", "mapp", "input-schema [invalid-schema]"),
    "predicate": put(
        "dispatches start 0 1", "data.valid >", "dispatches.start[0] [invalid-expression]"
    ),
    "label": put("dispatches start 1 0", "bed", "dispatches.start[1] [unknown-label]"),
    "target": put("edges refuse", "mial", "edges.refuse [unknown-target]"),
    "edge": put("edges charge", 5, "edges.charge [wrong-value]"),
    "target of a label": put("edges sums done", 5, "edges.sums.done [wrong-value]"),
    "join": put("joins sums", 5, "joins.sums [wrong-value]"),
    "group": put("error-groups", {"all": 5}, "error-groups.all [wrong-value]"),
    "constraint": put(
        "constraints 0",
        {"type": "must-follow", "if": "start", "then": "charge"},
        "constraints[0] [must-follow]",
    ),
    "chain": chained,
    "halt": put("edges mail", "halt", "edges.mail [halt-without-way-on]"),
}
HIDDEN = {
    # Where the one stands, the other is not there any more, or need not be wrong.
    frozenset({"cell", "schema"}),
    frozenset({"constraint", "target"}),
    frozenset({"join", "constraint"}),
    frozenset({"join", "chain"}),
    frozenset({"join", "target"}),
}
FOLLOWING = {"label": {"edges.start.bad [label-without-predicate]"}}


def told(document: dict[str, Any]) -> set[str]:
    """Return all problems of a manifest as `path [code]`."""
    with pytest.raises(InvalidFlow) as refused:
        read_manifest(document)
    return {f"{problem.path} [{problem.code}]" for problem in refused.value.problems}


@pytest.mark.parametrize("one", PLANTS)
def test_one_problem_is_told_and_nothing_that_follows_from_it(one: str) -> None:
    document = copy.deepcopy(SOUND)
    planted = PLANTS[one](document)
    assert told(document) == {planted} | FOLLOWING.get(one, set())


@pytest.mark.parametrize("one", PLANTS)
def test_each_of_two_problems_is_told(one: str) -> None:
    for other in [*PLANTS][[*PLANTS].index(one) + 1 :]:
        names = {one, other}
        if any(hidden <= names for hidden in HIDDEN):
            continue
        document = copy.deepcopy(SOUND)
        wanted = {PLANTS[name](document) for name in sorted(names)}
        assert wanted - told(document) == set(), names


def test_problems_are_told_in_the_order_of_the_text() -> None:
    text = """{:id :x/y :cels {}
 :edges {:start {:ok :next, :bad :end} :nxt :end}
 :dispatches {:start [[:ok (fn [d] (System/exit 1))] [:bed (constantly true)]]}
 :cells {:start :a/b
         :nxt :a/c
         :lost {:id :a/d :schema {:input [:mapp [:k :string]]}}}}"""
    with pytest.raises(InvalidFlow) as refused:
        read_manifest(text)
    assert [(problem.path, problem.code) for problem in refused.value.problems] == [
        ("cels (line 1, column 11)", "unknown-field"),
        ("edges.lost (line 2, column 2)", "no-edges"),
        ("edges.start.ok (line 2, column 18)", "unknown-target"),
        ("edges.start.bad (line 2, column 29)", "label-without-predicate"),
        ("dispatches.start[0] (line 3, column 36)", "wrong-predicate"),
        ("dispatches.start[1] (line 3, column 54)", "unknown-label"),
        ("cells.lost (line 6, column 10)", "unreachable-cell"),
        ("cells.lost.schema.input (line 6, column 42)", "invalid-schema"),
    ]


def test_what_lies_behind_a_name_with_a_typing_error_is_not_told() -> None:
    document = copy.deepcopy(SOUND)
    document["edges"]["start"]["good"] = "chrage"
    assert told(document) == {"edges.start.good [unknown-target]"}


def test_of_more_lost_cells_than_strange_targets_each_is_told() -> None:
    document = copy.deepcopy(SOUND)
    document["edges"]["refuse"] = "xyz"
    document["cells"] |= {"apart": "a"}
    document["edges"] |= {"apart": "end"}
    assert told(document) == {"edges.refuse [unknown-target]"}
    document["cells"] |= {"alone": "a"}
    document["edges"] |= {"alone": "end"}
    assert told(document) == {
        "edges.refuse [unknown-target]",
        "cells.apart [unreachable-cell]",
        "cells.alone [unreachable-cell]",
    }


def test_a_fragment_that_is_not_there_makes_no_other_name_unknown() -> None:
    document = copy.deepcopy(SOUND)
    del document["cells"]["start"]
    document["fragments"] = {"login": {"ref": "nope.edn", "as": "start", "exits": {}}}
    assert [place.split(" ")[0] for place in told(document)] == ["fragments.login.ref"]
