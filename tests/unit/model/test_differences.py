"""What is different between two definitions."""

from typing import Any

import pytest
from hypothesis import given, settings

from dagster_pgflow.model.differences import differences
from dagster_pgflow.model.flow import Flow
from tests.drawn_flows import flows


def lines(before: Flow, after: Flow) -> list[str]:
    return [str(difference) for difference in differences(before, after)]


def with_params(**params: Any) -> Flow:
    return Flow("f").step("a", params=params)


def test_equal_flows_have_no_differences() -> None:
    flow = Flow("f", timeout=9).step("a").map("m", depends_on="a").schedule("s", "0 2 * * *")
    assert differences(flow, flow) == ()


def test_a_default_that_is_written_out_is_no_difference() -> None:
    plain = Flow("f").step("a").step("b", depends_on="a")
    written = Flow("f", max_attempts=3, base_delay=5, timeout=60).step("a", when_unmet="skip")
    assert differences(plain, written.step("b", depends_on=["a", "a"], description="")) == ()
    written = Flow("f", max_delay=3600, jitter="none").map("m", collect_errors=False)
    assert differences(Flow("f").map("m"), written) == ()


def test_how_a_map_step_goes_on_and_waits_is_a_difference() -> None:
    before = Flow("f", jitter="full").map("m").map("n", depends_on="m", max_delay=9)
    after = Flow("f").map("m", collect_errors=True, jitter="none")
    after = after.map("n", depends_on="m", pipelined=True)
    assert lines(before, after) == [
        '+ steps.m.options: {"jitter": "none"}',
        "+ steps.m.collect_errors: true",
        '- steps.n.options: {"max_delay": 9}',
        "+ steps.n.pipelined: true",
        '- options: {"jitter": "full"}',
    ]


def test_each_difference_is_a_line_that_names_its_place() -> None:
    before = (
        Flow("order", description="Old", timeout=30, tags={"team": "x"})
        .step("fetch", timeout=5)
        .step("gone")
        .step("charge", "shop.pay", depends_on="fetch", params={"by": {"card": True}})
    )
    after = (
        Flow("order", description="New", input_schema={"type": "object"})
        .step("fetch", timeout=9, max_attempts=1)
        .map("charge", "shop.pay", depends_on="fetch", params={"by": {"card": False}})
        .step("thank", depends_on="charge")
        .schedule("nightly", "0 2 * * *")
    )
    assert lines(before, after) == [
        '~ description: "Old" -> "New"',
        '- tags: {"team": "x"}',
        "~ steps.fetch.options.timeout: 5 -> 9",
        "+ steps.fetch.options.max_attempts: 1",
        '- steps.gone: {"slug": "gone", "type": "single"}',
        "~ steps.charge.params.by.card: true -> false",
        '~ steps.charge.type: "single" -> "map"',
        '+ steps.thank: {"slug": "thank", "depends_on": ["charge"], "type": "single"}',
        '- options: {"timeout": 30}',
        '+ input_schema: {"type": "object"}',
        '+ schedules.nightly: {"slug": "nightly", "cron": "0 2 * * *"}',
    ]


def test_another_order_of_steps_is_one_difference_whatever_else_came_between() -> None:
    before = Flow("f").step("a").step("b").step("c")
    assert lines(before, Flow("f").step("c").step("a").step("b")) == [
        '~ order of steps: ["a", "b", "c"] -> ["c", "a", "b"]'
    ]
    assert lines(before, Flow("f").step("a").step("x").step("b").step("c")) == [
        '+ steps.x: {"slug": "x", "type": "single"}'
    ]


def test_a_key_that_is_no_name_is_quoted() -> None:
    assert lines(with_params(**{"a.b": 1}), with_params(**{"a.b": 2})) == [
        '~ steps.a.params["a.b"]: 1 -> 2'
    ]


@pytest.mark.parametrize(
    ("one", "other"), [(1, True), (0, False), (0, None), ("", None), ([], {}), (1, 1.0), ("1", 1)]
)
def test_values_that_python_holds_for_equal_may_differ(one: Any, other: Any) -> None:
    assert lines(with_params(x=one), with_params(x=other)) != []


@pytest.mark.parametrize(("one", "other"), [(1e22, 10**22), (-0.0, 0.0), (1e-7, 0.0000001)])
def test_numbers_that_postgres_writes_in_the_same_way_are_the_same(one: Any, other: Any) -> None:
    assert lines(with_params(x=one), with_params(x=other)) == []


def test_a_long_value_is_cut() -> None:
    [line] = lines(with_params(x="a"), with_params(x="b" * 1000))
    assert len(line) < 150


def test_lists_of_other_things_are_compared_as_a_whole() -> None:
    twice = [{"slug": "a"}, {"slug": "a"}]
    assert lines(with_params(x=[1, 2]), with_params(x=twice)) == [
        '~ steps.a.params.x: [1, 2] -> [{"slug": "a"}, {"slug": "a"}]'
    ]


@settings(max_examples=60)
@given(flows(), flows())
def test_what_one_direction_adds_the_other_removes(one: Flow, other: Flow) -> None:
    opposite = {"added": "removed", "removed": "added", "changed": "changed"}
    there = {
        (opposite[difference.kind], difference.path, str(difference.after), str(difference.before))
        for difference in differences(one, other)
    }
    back = {
        (difference.kind, difference.path, str(difference.before), str(difference.after))
        for difference in differences(other, one)
    }
    assert there == back
    assert differences(one, one) == ()
