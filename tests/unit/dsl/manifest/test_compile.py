"""Manifests as flows: which steps there are, and what they wait for."""

from typing import Any

import pytest

from dagster_pgflow.dsl.manifest.compile import flow_of_manifest
from dagster_pgflow.dsl.manifest.manifest import (
    Dispatch,
    Join,
    Resilience,
)
from dagster_pgflow.errors import InvalidFlow
from dagster_pgflow.model.flow import Flow
from tests.unit.dsl.manifest.compiled import flow, steps
from tests.unit.dsl.manifest.manifests import manifest

PAIR = {"j": Join(("m1", "m2"))}


def waits(made: Flow) -> dict[str, str]:
    """Return what each step waits for."""
    return {step.slug: " ".join(step.depends_on) for step in made.steps}


def test_cells_in_a_row_are_single_steps_on_one_data_map() -> None:
    made = flow("start > a > end")
    assert (made.slug, made.merge_output, made.options.max_attempts) == ("shop_order", True, 1)
    assert [step.to_json() for step in made.steps] == [
        {"type": "single", "slug": "start", "handler": "do/start"}
        | {"merge_input": True, "keep_input": True},
        {"type": "single", "slug": "a", "handler": "do/a", "depends_on": ["start"]}
        | {"merge_input": True, "keep_input": True},
    ]


def test_without_propagation_a_step_hands_on_only_what_it_returns() -> None:
    assert not any(
        "keep_input" in one.to_json() for one in flow("start > a > end", propagate_keys=False).steps
    )


def test_labels_are_rules_of_a_branch_in_the_order_in_which_they_are_asked() -> None:
    step = steps(flow("start > a > end, start > b > end, start > default > end"))["start"]
    assert [(rule.when, rule.then, rule.label) for rule in step.rules] == [
        ('output["a"] == true', ("a",), "a"),
        ('output["b"] == true', ("b",), "b"),
        ("true", ("default",), "default"),
    ]
    assert step.default_path == ()


def test_where_no_predicate_holds_a_step_fails_the_run() -> None:
    made = steps(flow("start > a > end, start > b > end"))
    assert made["start"].default_path == ("start_without_edge",)
    assert 'cell "start"' in made["start_without_edge"].params["message"]
    assert '"a", "b"' in made["start_without_edge"].params["message"]


def test_rules_that_never_decide_are_kept_apart_by_their_text() -> None:
    asked = {"start": (Dispatch("a", "true"), Dispatch("b", "true"))}
    step = steps(flow("start > a > end, start > b > end", dispatches=asked))["start"]
    assert [rule.when for rule in step.rules] == ["true", "(true)"]


def test_ways_meet_in_a_join_that_waits_for_any_of_them() -> None:
    made = flow("start > a > c > end, start > b > c, start > end")
    assert waits(made) == {
        "start": "",
        "a": "start",
        "b": "start",
        "start_without_edge": "start",
        "before_c": "a b",
        "c": "before_c",
        "end": "start c",
    }
    assert {steps(made)[slug].wait for slug in ("before_c", "end")} == {"any"}


def test_the_only_way_to_the_end_needs_no_step_of_its_own() -> None:
    assert "end" not in waits(flow("start > a > end"))
    assert waits(flow("start > default > end, start > a > end"))["end"] == "default a"


def test_edges_to_error_lead_to_one_step_that_fails() -> None:
    made = flow("start > a > error, start > error, a > default > end")
    assert waits(made)["before_error"] == "start a"
    assert steps(made)["error"].handler == "pgflow.fail"


def test_members_of_a_join_work_on_what_arrives_there() -> None:
    made = flow("start > j > a > end", joins=PAIR)
    assert waits(made) == {
        "start": "",
        "m1": "start",
        "m2": "start",
        "j": "start m1 m2",
        "a": "j",
    }
    assert not any(steps(made)[member].keep_input for member in ("m1", "m2"))


def test_a_join_that_is_reached_by_several_ways_begins_with_a_snapshot() -> None:
    made = waits(flow("start > j > end, start > x > j", joins=PAIR))
    assert (made["j_snapshot"], made["m1"]) == ("start x", "j_snapshot")
    assert made["j"] == "j_snapshot m1 m2"


def test_members_one_after_the_other_wait_without_its_results() -> None:
    made = flow("start > j > end", joins={"j": Join(("m1", "m2", "m3"), "sequential")})
    assert waits(made) | {"before_m2": "start m1", "m2": "before_m2"} == waits(made)
    assert waits(made)["before_m3"] == "start m2"
    assert steps(made)["before_m3"].params == {"of": ["start"]}


def test_a_merging_handler_gets_results_by_the_names_of_cells() -> None:
    made = steps(flow("start > j > end", joins={"j": Join(("m1", "m-2"), merge="sum-up")}))
    merging = made["j_merge"]
    assert (merging.depends_on, merging.merge_input) == (("m1", "m_2"), False)
    assert merging.params == {"dagster-pgflow/names": {"m_2": "m-2"}}
    assert made["j"].depends_on == ("start", "j_merge")


def test_edges_behind_a_join_are_decided_in_a_step_of_their_own() -> None:
    made = steps(flow("start > j > a > end, j > default > end", joins=PAIR))
    assert (made["j_decides"].handler, made["j_decides"].depends_on) == (None, ("j",))


def test_a_cell_that_closes_and_leaves_a_loop_is_its_last_step() -> None:
    made = steps(flow("start > review, review > start, review > publish > end", max_passes=20))
    loop = made["review"]
    assert (loop.type, loop.handler, loop.back_to) == ("loop", "do/review", "start")
    assert (loop.condition, loop.max_iterations) == ('output["start"] == true', 20)
    assert loop.timeout_path == ("start_too_often",)
    assert [(rule.then, rule.label) for rule in made["review_ways_out"].rules] == [
        (("publish",), "publish")
    ]
    assert "20 times" in made["start_too_often"].params["message"]


def test_a_cell_may_close_a_loop_around_itself() -> None:
    made = steps(flow("start > start, start > default > end"))
    assert (made["start"].back_to, made["start"].break_path) == ("start", ("default",))


def test_where_leaving_is_asked_first_a_step_behind_the_cell_is_the_loop() -> None:
    made = steps(flow("start > review, review > publish > end, review > start"))
    assert [rule.then for rule in made["review"].rules] == [("review_leaves",), ("start_again",)]
    assert made["start_again"].depends_on == ("review", "review_leaves")
    assert made["start_again"].condition == '!("review_leaves" in deps)'


def test_a_loop_left_behind_one_cell_and_closed_by_another_hands_on_the_data() -> None:
    made = steps(flow("start > h, h > x, h > default > end, x > h"))
    assert made["h_pass"].depends_on == ("h", "x")
    assert made["h_again"].condition == '"x" in deps.h_pass'
    assert made["h_again"].params == {"of": ["h_pass.x", "h_pass.h"]}


def test_a_loop_left_behind_two_cells_tells_them_apart() -> None:
    made = steps(flow("start > a > b > a, b > l > end, a > r > end, b > default > end"))
    assert [(rule.when, rule.then) for rule in made["a_again_left_by"].rules] == [
        ('"a" in output', ("left_by_a",)),
        ('"b_leaves" in output', ("left_by_b",)),
    ]
    assert made["a_begins"].params == {"of": ["a_again.b", "start"]}


def test_loops_lie_in_each_other() -> None:
    made = steps(flow("start > a > b > c > b, c > a, c > default > end", max_passes=3))
    assert (made["c"].back_to, made["a_again"].back_to) == ("b", "a")


def test_passes_of_a_loop_are_those_of_its_edge() -> None:
    passes = {("review", "start"): 7}
    made = flow("start > review, review > start, review > default > end", max_passes_of=passes)
    assert steps(made)["review"].max_iterations == 7


def test_names_are_slugs_and_what_is_generated_takes_no_name_of_a_cell() -> None:
    made = flow("start > a-b > end, start > end > end, start > before_end > end, a-b > end")
    assert {"a_b", "before_end"} <= set(waits(made))
    assert steps(made)["a_b"].description == 'Cell "a-b".'


@pytest.mark.parametrize(
    ("ways", "changes", "told"),
    [
        ("start > a-b > a_b > end", {}, '"a-b" and "a_b" would both be step "a_b"'),
        ("start > halt", {}, 'edges.start: "start" halts whatever the data says'),
        ("start > a > b > a, start > b, b > end", {}, "close loops that overlap"),
        ("start > end", {"max_passes": 1001}, "it must be from 1 to 1000"),
        ("start > a > b > c > b, c > a, c > end", {}, "more than 10,000 steps; lower max-passes"),
        ("start > end", {"id": "x" * 129}, "1 to 128 characters"),
    ],
)
def test_what_no_flow_can_do_is_told_in_words_of_the_manifest(
    ways: str, changes: dict[str, Any], told: str
) -> None:
    with pytest.raises(InvalidFlow) as refused:
        flow_of_manifest(manifest(ways, **changes))
    assert told in str(refused.value)


def test_resilience_is_what_the_step_says_of_its_failures() -> None:
    said = Resilience(
        retry={"max_attempts": 4, "base_delay": 1},
        timeout_ms=9000,
        bulkhead={"max_concurrent": 2},
    )
    step = steps(flow("start > end", resilience={"start": said}))["start"]
    options = step.options
    assert (options.max_attempts, options.base_delay, options.timeout) == (4, 1, 9)
    assert step.bulkhead.max_concurrent == 2
