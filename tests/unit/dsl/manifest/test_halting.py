"""Cells that halt for a person, and edges that lead to `halt`."""

from typing import Any

import pytest

from dagster_pgflow.dsl.manifest.back import manifest_of_flow
from dagster_pgflow.dsl.manifest.back_document import document_of_manifest
from dagster_pgflow.dsl.manifest.compile import flow_of_manifest
from dagster_pgflow.dsl.manifest.edn_writing import edn_of_documents
from dagster_pgflow.dsl.manifest_text import read_manifest
from dagster_pgflow.errors import InvalidFlow
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.graph import by_slug
from dagster_pgflow.model.steps import ApprovalStep, BranchStep, LoopStep, Step
from dagster_pgflow.validation.validate import validate
from tests.unit.dsl.manifest.reads import of_file

HALTS = """
{:id :m
 :cells {:start {:id :h/draft, :doc "Writes it."}, :out :h/print}
 :edges {:start {:ask :halt, :default :out}, :out :end}
 :dispatches {:start [[:ask (fn [d] (nil? (:answer d)))]]}}
"""


def steps(flow: Flow) -> dict[str, Step]:
    assert validate(flow) == ()
    written = edn_of_documents([document_of_manifest(manifest_of_flow(flow))])
    assert read_manifest(written) == flow
    return by_slug(flow)


def test_a_cell_that_halts_asks_and_its_answer_is_laid_over_the_data() -> None:
    made = steps(flow_of_manifest(of_file("expense.edn")))
    assert made["ask"] == ApprovalStep(
        slug="ask",
        depends_on=("start",),
        prompt="May ${$input.who} spend ${$input.sum}?",
        answerers=("boss",),
        answer_schema={"type": "boolean"},
        deadline=604_800,
        reminders=(86_400,),
        merge_input=True,
        keep_input=True,
    )
    decides = made["ask_decides"]
    assert isinstance(decides, BranchStep)
    assert [(rule.label, rule.then) for rule in decides.rules] == [
        ("approved", ("before_pay",)),
        ("default", ("refuse",)),
    ]


def test_a_deadline_leads_where_the_edge_of_a_timeout_does() -> None:
    made = steps(
        read_manifest(
            '{:id :m :cells {:start {:halt "Well?"} :late :h/late :out :h/out}'
            " :edges {:start {:default :out, :timeout :late} :late :end :out :end}"
            " :timeouts {:start 1500}}"
        )
    )
    start = made["start"]
    assert isinstance(start, ApprovalStep)
    assert (start.deadline, start.on_timeout) == (2, "late")


def test_an_edge_to_halt_asks_and_goes_on_at_the_same_place() -> None:
    made = steps(read_manifest(HALTS))
    asks = made["start_halt"]
    assert isinstance(asks, ApprovalStep)
    assert asks.prompt == '"start" waits: what is to be laid over the data as "answer"? Writes it.'
    [loop] = [step for step in made.values() if isinstance(step, LoopStep)]
    assert loop.back_to == "start"


@pytest.mark.parametrize(
    ("edges", "more", "told"),
    [
        ({"start": "halt"}, {}, ("halt-without-way-on", "edges.start")),
        ({"start": {"a": "halt", "b": "halt"}}, {}, ("halt-without-way-on", "edges.start.a")),
        (
            {"start": "end"},
            {"error-groups": {"g": {"cells": ["start"], "on-error": "halt"}}},
            ("halt-after-failure", "error-groups.g.on-error"),
        ),
    ],
)
def test_what_has_no_place_to_go_on_at_is_refused(
    edges: Any, more: dict[str, Any], told: tuple[str, str]
) -> None:
    dispatches = {"start": [["a", "data.a"], ["b", "true"]]} if len(edges["start"]) == 2 else {}
    with pytest.raises(InvalidFlow) as refused:
        read_manifest(
            {"id": "m", "cells": {"start": "h"}, "edges": edges, "dispatches": dispatches, **more}
        )
    assert told in [(problem.code, problem.path) for problem in refused.value.problems]


def test_a_cell_that_halts_does_nothing_else() -> None:
    cell = {"halt": {"prompt": "Well?"}, "id": "h", "params": {"a": 1}}
    with pytest.raises(InvalidFlow) as refused:
        read_manifest({"id": "m", "cells": {"start": cell}, "edges": {"start": "end"}})
    assert sorted((one.code, one.path) for one in refused.value.problems) == [
        ("halt-and-work", "cells.start.id"),
        ("halt-and-work", "cells.start.params"),
    ]
