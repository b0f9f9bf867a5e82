"""JSON containment as PostgreSQL has it."""

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.runtime.conditions import Facts, contains, unmet_condition, unmet_expression
from dagster_pgflow.runtime.data_map import Received
from tests.postgres import Session

# Few different values, so that one often contains the other.
scalars = st.sampled_from([None, True, False, 0, 1, -1, 1.0, 0.0, 0.5, "", "a", "1", "é", "😀"])
keys = st.sampled_from(["a", "b", ""])
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=8,
)


def part_of(value: Any) -> st.SearchStrategy[Any]:
    """Patterns that a value contains, or nearly."""
    if isinstance(value, dict) and value:
        items = st.sets(st.sampled_from(sorted(value)))
        return items.flatmap(
            lambda kept: st.fixed_dictionaries({k: part_of(value[k]) for k in kept})
        )
    if isinstance(value, list) and value:
        return st.lists(st.sampled_from(value).flatmap(part_of), max_size=3)
    return st.just(value) | scalars


pairs = st.tuples(values, values) | values.flatmap(lambda v: st.tuples(st.just(v), part_of(v)))


@settings(
    max_examples=300,
)
@given(pairs)
@example((1, 1.0))
@example((1e23, 10**23))
@example((2**53 + 1, float(2**53)))
@example((-0.0, 0))
@example((True, 1))
@example(([["a"]], ["a"]))
@example((["a"], "a"))
@example(([1, [2, 3]], [[3]]))
@example(({"a": None}, {}))
@example(({}, {"a": None}))
def test_containment_is_that_of_postgresql(sql: Session, pair: tuple[Any, Any]) -> None:
    # In an object, as patterns are: alone, PostgreSQL lets an array contain a bare scalar.
    value, pattern = ({"x": side} for side in pair)
    in_sql = sql.value("select %s::jsonb @> %s::jsonb", json.dumps(value), json.dumps(pattern))
    assert contains(value, pattern) is in_sql


@pytest.mark.parametrize("value", [None, 0, "a", [], [{"a": 1}]])
def test_what_is_no_object_contains_no_pattern(value: Any) -> None:
    assert not contains(value, {})


@pytest.mark.parametrize(
    ("settings", "given", "sentence"),
    [
        ({}, {"a": 1}, None),
        ({"if_": {"a": 1}}, {"a": 1, "b": 2}, None),
        ({"if_": {"a": 1}}, {"a": 2}, 'its input does not contain {"a": 1} (input.a is 2)'),
        ({"if_": {}}, {"a": 2}, None),
        ({"if_": {}}, [1], "its input does not contain {} (input is [1])"),
        ({"if_not": {"a": 1}}, {"a": 2}, None),
        ({"if_not": {"a": 1}}, {"a": 1}, 'its input contains {"a": 1}'),
        ({"if_not": {}}, {"a": 1}, "its input contains {}"),
        ({"if_": {"a": 1}, "if_not": {"b": 1}}, {"a": 1, "b": 2}, None),
        ({"if_": {"a": 1}, "if_not": {"b": 1}}, {"a": 1, "b": 1}, 'its input contains {"b": 1}'),
        (
            {"if_": {"a": 1}, "if_not": {"b": 1}},
            {"a": 2, "b": 1},
            'its input does not contain {"a": 1} (input.a is 2)',
        ),
    ],
)
def test_all_conditions_must_hold(
    settings: dict[str, Any], given: Any, sentence: str | None
) -> None:
    [step] = Flow("f").step("a", **settings).steps
    assert unmet_condition(step, given) == sentence


class Log(list[str]):
    """The warnings of a run."""

    def facts(self, flow_input: Any = None) -> Facts:
        return Facts("r-1", lambda: flow_input, self.append)


def unmet(settings: dict[str, Any], given: Any, log: Log, flow_input: Any = None) -> str | None:
    [step] = Flow("f").step("x", **settings).steps
    received = Received(given, given if step.depends_on else {})
    return unmet_expression(step, received, log.facts(flow_input), "f", "s.x")


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({}, None),
        ({"run_if": "input.n > 1"}, None),
        ({"run_if": "input.n > 2"}, "run_if `input.n > 2` is false (input.n is 2)"),
        ({"run_unless": "input.n > 2"}, None),
        ({"run_unless": "input.n > 1"}, "run_unless `input.n > 1` is true (input.n is 2)"),
        ({"run_if": "flow_input == 'top'", "run_unless": "deps != {}"}, None),
        ({"run_if": "ctx.run_id == 'r-1' && ctx.step_path == 's.x'"}, None),
        ({"run_if": "ctx.flow_slug == 'f' && ctx.params.k == 1", "params": {"k": 1}}, None),
    ],
)
def test_the_first_expression_that_does_not_hold_is_told(
    settings: dict[str, Any], sentence: str | None
) -> None:
    log = Log()
    assert unmet(settings, {"n": 2}, log, "top") == sentence
    assert log == []


def test_deps_and_output_are_there_for_what_was_completed() -> None:
    log = Log()
    condition = {"depends_on": "a", "run_if": "deps == input && output == deps.a && output == 1"}
    assert unmet(condition, {"a": 1}, log) is None
    assert log == []
    assert unmet({"depends_on": "a", "run_if": "output == 1"}, {}, log) == (
        "run_if `output == 1` is false (there is no output here)"
    )


@pytest.mark.parametrize(
    ("name", "sentence"),
    [("run_if", 'run_if `input.n` is false (there is no key "n")'), ("run_unless", None)],
)
def test_an_expression_without_an_answer_counts_as_false(name: str, sentence: str | None) -> None:
    log = Log()
    assert unmet({name: "input.n"}, {}, log) == sentence
    assert log == [f'Step "s.x": {name} `input.n` counts as false: there is no key "n".']
