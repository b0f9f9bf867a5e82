"""Slugs that Dagster or Python would not take, and flows that would get in each other's way."""

import keyword

import pytest
from dagster._core.definitions.utils import DISALLOWED_NAMES

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.names import (
    BATCH_INPUT,
    COLLECTED_INPUT,
    FLOW_INPUT,
    ITEMS_INPUT,
    ITERATIONS_INPUT,
)
from tests.execution.harness import gives, run

OWN = {FLOW_INPUT, BATCH_INPUT, COLLECTED_INPUT, ITEMS_INPUT, ITERATIONS_INPUT}
WORDS = sorted({*keyword.kwlist, *DISALLOWED_NAMES, *OWN})


def test_steps_may_be_called_as_pythons_and_dagsters_words() -> None:
    flow = Flow("class")
    for word in WORDS:
        flow = flow.step(word, **gives(word))
    flow = flow.step("result", "echo", depends_on=WORDS)
    assert run(flow).outputs["result"] == {word: word for word in WORDS}


@pytest.mark.parametrize("word", ["config", "None", "flow_input", "batch", "result", "x__collect"])
def test_maps_and_subflows_may_be_called_so_too(word: str) -> None:
    child = Flow(f"{word}_flow").step("x", "echo").map(word, "echo")
    flow = (
        Flow(word)
        .map(word, "echo")
        .subflow(f"{word}_", child)
        .step("end", "echo", depends_on=[word, f"{word}_"])
    )
    outputs = run(flow, [1], others=[child]).outputs
    assert outputs["end"] == {word: [1], f"{word}_": {"x": [1], word: [1]}}


def test_a_slug_and_the_name_that_another_is_mangled_to_stay_apart() -> None:
    flow = Flow("f").step("type", **gives(1)).step("type_", **gives(2)).step("type__", **gives(3))
    flow = flow.step("end", "echo", depends_on=["type", "type_", "type__"])
    assert run(flow).outputs["end"] == {"type": 1, "type_": 2, "type__": 3}


def test_steps_may_be_called_as_helpers() -> None:
    flow = (
        Flow("f")
        .map("m", "echo")
        .step("m__fan_out", **gives(1))
        .map("n__fan_out", "echo", depends_on="m")
        .step("end", "echo", depends_on=["m", "m__fan_out", "n__fan_out"])
    )
    result = run(flow, [5])
    assert result.outputs["end"] == {"m": [5], "m__fan_out": 1, "n__fan_out": [5]}
    assert result.helpers == ["m__fan_out", "n__fan_out__fan_out"]


def test_flows_whose_slugs_run_into_their_steps_stay_apart() -> None:
    one = Flow("a__b").step("c", **gives(1))
    two = Flow("a").step("b__c", **gives(2)).step("b", **gives(3))
    top = Flow("top").subflow("one", one).subflow("two", two)
    top = top.step("end", "echo", depends_on=["one", "two"])
    assert run(top, others=[one, two]).outputs["end"] == {
        "one": {"c": 1},
        "two": {"b__c": 2, "b": 3},
    }


def test_a_dependency_may_be_called_as_the_way_into_a_subflow() -> None:
    child = Flow("child").step("b", **gives(1)).step("c", **gives(2))
    flow = (
        Flow("f")
        .subflow("a", child)
        .step("a__b", **gives(3))
        .step("a__c", **gives(4))
        .step("end", "echo", depends_on=["a__b", "a", "a__c"])
    )
    assert run(flow, others=[child]).outputs["end"] == {
        "a__b": 3,
        "a": {"b": 1, "c": 2},
        "a__c": 4,
    }


def test_a_flow_a_step_and_a_subflow_may_have_one_name() -> None:
    x = Flow("x").step("x", "echo")
    assert run(Flow("y").subflow("x", x), 1, others=[x]).outputs == {"x.x": 1}
    top = Flow("top").step("top", "echo").map("m", "echo")
    assert run(top, [1]).outputs == {"top": [1], "m": [1]}
    around = Flow("around").subflow("around", x).step("b", "echo", depends_on="around")
    assert run(around, 1, others=[x]).outputs["b"] == {"around": {"x": 1}}


def test_a_subflow_may_be_called_as_dagster_calls_the_job() -> None:
    child = Flow("child").step("x", "echo")
    flow = Flow("f").subflow("root", child).step("end", "echo", depends_on="root")
    assert run(flow, 1, others=[child]).outputs["end"] == {"root": {"x": 1}}


def test_the_longest_slugs_run() -> None:
    long = "s" * 128
    child = Flow("c" * 128).step(long, "echo").map("m" * 128, "echo")
    flow = Flow("f" * 128).subflow(long, child).step("e" * 128, "echo", depends_on=long)
    outputs = run(flow, [1], others=[child]).outputs
    assert outputs["e" * 128] == {long: {long: [1], "m" * 128: [1]}}
