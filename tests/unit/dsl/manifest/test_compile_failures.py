"""Manifests as flows: where failures and timeouts lead."""

from dagster_pgflow.dsl.manifest.compile import flow_of_manifest
from dagster_pgflow.dsl.manifest.manifest import Cell, ErrorGroup, Join
from dagster_pgflow.model.options import StepOptions
from tests.unit.dsl.manifest.compiled import flow, steps
from tests.unit.dsl.manifest.manifests import manifest


def test_failures_of_an_error_group_lead_to_its_cell() -> None:
    groups = {"g": ErrorGroup(("start", "a"), "x")}
    made = steps(flow("start > a > end, x > end", error_groups=groups, cells={"x": Cell("x")}))
    assert (made["start"].on_failure, made["a"].on_failure) == ("x", "x")
    assert made["x"].depends_on == ("start", "a")
    assert made["end"].depends_on == ("a", "x")


def test_failures_that_lead_to_a_cell_on_the_way_arrive_in_a_step_of_their_own() -> None:
    made = steps(flow("start > a > end", error_groups={"g": ErrorGroup(("start",), "a")}))
    assert made["start"].on_failure == "a_after_failure"
    assert made["before_a"].depends_on == ("start", "a_after_failure")


def test_a_failure_in_a_loop_that_leads_out_of_it_leaves_by_its_end() -> None:
    made = steps(
        flow(
            "start > a > b > start, b > default > end, x > end",
            error_groups={"g": ErrorGroup(("a",), "x")},
            cells={"x": Cell("x")},
        )
    )
    assert made["a"].on_failure == "a_failed"
    assert made["start_pass"].depends_on == ("b", "a_failed", "b_leaves")
    assert made["x"].depends_on == ("left_by_a",)


def test_a_timeout_of_part_of_a_second_is_kept() -> None:
    made = steps(flow("start > a > end, start > timeout > end", timeouts={"start": 250}))
    assert made["start"].options == StepOptions(timeout_ms=250)


def test_a_timeout_takes_its_edge() -> None:
    made = steps(flow("start > a > end, start > timeout > end", timeouts={"start": 2000}))
    assert (made["start"].on_timeout, made["start"].options.timeout) == ("timeout", 2)


def test_a_cell_that_runs_a_flow_is_a_subflow_whose_failure_takes_its_edge() -> None:
    made = steps(
        flow_of_manifest(
            manifest(
                "start > success > end, start > failure > end",
                cells={"start": Cell("pay", flow="pay")},
            )
        )
    )
    step = made["start"]
    assert (step.flow, step.on_failure, step.keep_input) == ("pay", "failure", True)
    assert made["success"].depends_on == ("start",)


def test_failures_of_members_take_the_edge_of_their_join() -> None:
    made = steps(flow("start > j > done > end, j > failure > end", joins={"j": Join(("m1", "m2"))}))
    assert (made["j"].on_failure, made["j"].members) == ("failure", ("m1", "m2"))
