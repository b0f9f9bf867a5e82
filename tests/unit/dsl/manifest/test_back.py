"""Flows as manifests: what comes back, and what a manifest cannot say."""

from dataclasses import replace
from typing import Any

import pytest

from dagster_pgflow.dsl.manifest.back import manifest_of_flow
from dagster_pgflow.dsl.manifest.back_document import document_of_manifest
from dagster_pgflow.dsl.manifest.compile import flow_of_manifest
from dagster_pgflow.dsl.manifest.manifest import (
    Cell,
    Dispatch,
    Interceptor,
    InterceptorScope,
    Join,
    Manifest,
    Resilience,
)
from dagster_pgflow.errors import InvalidFlow
from dagster_pgflow.model.flow import Flow
from tests.unit.dsl.manifest.manifests import manifest
from tests.unit.dsl.manifest.reads import of_file, sound

PAIR = {"j": Join(("m1", "m2"))}
SOUND: dict[str, Manifest] = {
    "row": manifest("start > a > end", doc="Does a.", input_schema={"type": "object"}),
    "no propagation": manifest("start > a > end", propagate_keys=False),
    "branches that meet": manifest("start > a > c > end, start > b > c, start > default > end"),
    "edges that cross": manifest("start > a > b > d > end, a > c > d, start > c, b > c"),
    "errors": manifest("start > a > error, start > error, a > end"),
    "loop of one cell": manifest("start > start, start > end", max_passes=7),
    "loop that goes on first": manifest("start > review, review > start, review > out > end"),
    "loop that is left first": manifest("start > review, review > out > end, review > start"),
    "loop left elsewhere": manifest("start > h, h > x, h > end, x > h", max_passes=3),
    "loop left by two": manifest("start > a > b > a, b > l > end, a > end", max_passes=3),
    "loops in loops": manifest(
        "start > a > b > c > b, c > a, c > out > end, b > left > end", max_passes=3
    ),
    "join": manifest("start > j > end", joins=PAIR),
    "join behind a row": manifest(
        "start > a > j > end", joins={"j": Join(("m1", "m2"), "sequential")}
    ),
    "join with another name": manifest("start > a-j > end", joins={"a-j": Join(("m1", "m2"))}),
    "failures of a join that merges": manifest(
        "start > j > done > end, j > failure > end", joins={"j": Join(("m1", "m2"), merge="sum-up")}
    ),
    "interceptor of no cell, and a loop": manifest(
        "start > a > a, a > end",
        interceptors=(Interceptor("i", InterceptorScope(id_match="no/*"), pre="log"),),
    ),
    "join of several ways": manifest("start > j > a > end, start > x > j, j > end", joins=PAIR),
    "one after the other": manifest(
        "start > j > end", joins={"j": Join(("m1", "m-2"), "sequential", "sum-up")}
    ),
    "one after the other, and failures": manifest(
        "start > j > done > end, j > failure > end",
        joins={"j": Join(("m1", "m2", "m3"), "sequential")},
        dispatches={},
    ),
    "guards": manifest(
        "start > end",
        resilience={
            "start": Resilience(circuit_breaker={"key": "bank", "min_calls": 5}, bulkhead={})
        },
    ),
    "params": manifest("start > end", cells={"start": Cell("pgflow.pick", params={"of": ["a"]})}),
}


@pytest.mark.parametrize("name", SOUND)
def test_a_flow_of_a_manifest_comes_back_as_one_that_makes_it_again(name: str) -> None:
    flow = flow_of_manifest(SOUND[name])
    back = manifest_of_flow(flow)
    assert flow_of_manifest(back) == flow
    assert flow_of_manifest(sound(document_of_manifest(back))) == flow


def test_what_goes_without_saying_is_not_written() -> None:
    flow = flow_of_manifest(manifest("start > a > end"))
    assert document_of_manifest(manifest_of_flow(flow)) == {
        "id": "shop_order",
        "cells": {"start": "do/start", "a": "do/a"},
        "edges": {"start": "a", "a": "end"},
    }


def test_what_a_manifest_cannot_say_is_told_by_name_and_all_at_once() -> None:
    flow = (
        Flow("f", merge_output=True)
        .step("start", "h", merge_input=True, keep_input=True, pool="mail")
        .map("many", "h", depends_on="start")
        .step("last", "h", merge_input=True, keep_input=True, depends_on="many", run_if="true")
    )
    with pytest.raises(InvalidFlow) as refused:
        manifest_of_flow(flow)
    assert {problem.code for problem in refused.value.problems} == {"not-in-manifests"}
    told = str(refused.value)
    assert all(part in told for part in ("pool", "many", "run_if"))


@pytest.mark.parametrize(
    "flow",
    [
        Flow("f").step("only", "h"),
        Flow("f")
        .step("start", "h")
        .step("a", "h", depends_on="start")
        .step("b", "h", depends_on="start"),
        Flow("f")
        .branch("start", rules=[("true", ["a", "b"])])
        .step("a", "h", depends_on="start")
        .step("b", "h", depends_on="start"),
        Flow("f"),
    ],
    ids=["no start", "fork", "two at once", "nothing"],
)
def test_a_flow_of_another_kind_is_refused_in_sentences(flow: Flow) -> None:
    with pytest.raises(InvalidFlow):
        manifest_of_flow(flow)


def test_the_label_of_an_edge_that_closes_a_loop_is_the_one_that_the_flow_names() -> None:
    flow = flow_of_manifest(manifest("start > review, review > start, review > out > end"))
    back = manifest_of_flow(flow)
    assert back.edges["review"] == {"start": "start", "out": "out"}
    asked: Any = (Dispatch("start", "data.again"), Dispatch("default", "true"))
    silent = replace(
        manifest("start > review, review > start, review > default > end"),
        dispatches={"review": asked},
    )
    assert "again" in manifest_of_flow(flow_of_manifest(silent)).edges["review"]


def test_a_file_comes_back_too() -> None:
    flow = flow_of_manifest(of_file("payment.edn"))
    assert flow_of_manifest(sound(document_of_manifest(manifest_of_flow(flow)))) == flow
