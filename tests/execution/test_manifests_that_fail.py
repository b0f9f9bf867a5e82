"""Manifests in real Dagster: where failures lead, and with which data."""

from collections.abc import Callable
from typing import Any

from dagster_pgflow.dsl.manifest.compile import flow_of_manifest
from dagster_pgflow.dsl.manifest.manifest import Cell, Dispatch, ErrorGroup, Join, Manifest
from dagster_pgflow.step_errors import NonRetryable
from tests.execution.harness import Result, run
from tests.unit.dsl.manifest.manifests import manifest

Adds = Callable[[dict[str, Any]], dict[str, Any]]


def ran(made: Manifest, data: dict[str, Any], others: Any = (), **adds: Adds) -> Result:
    """Run a manifest whose cells fail where the data names them, and note where a run came by."""

    def doing(name: str) -> Adds:
        def work(given: dict[str, Any]) -> dict[str, Any]:
            came_by = [*given.get("came_by", []), name]
            if name in given.get("failing", []) and came_by.count(name) > given.get("passes", 0):
                raise NonRetryable(f"{name} fails")
            return {"came_by": came_by, **adds.get(name, dict)({**given, "came_by": came_by})}

        return work

    handlers = {cell.id: doing(name) for name, cell in made.cells.items() if cell.flow is None}
    return run(flow_of_manifest(made), data, handlers=handlers, others=others)


def end_of(result: Result) -> Any:
    """Return the data map at the end of a run, or why it failed."""
    if not result.success:
        return result.error
    return next(output for path, output in reversed(result.outputs.items()) if "." not in path)


def test_a_failure_in_an_error_group_goes_to_its_cell_with_the_data() -> None:
    groups = {"g": ErrorGroup(("a", "b"), "rescue")}
    made = manifest(
        "start > a > b > last > end, rescue > last",
        error_groups=groups,
        cells={"rescue": Cell("do/rescue")},
    )
    assert end_of(ran(made, {"n": 1}))["came_by"] == ["start", "a", "b", "last"]
    for failing, way in (("a", ["start"]), ("b", ["start", "a"])):
        data = end_of(ran(made, {"n": 1, "failing": [failing]}))
        assert data["came_by"] == [*way, "rescue", "last"]
        assert (data["error"]["cell"], data["n"]) == (failing, 1)
        assert f"{failing} fails" in data["error"]["message"]
    assert "start fails" in end_of(ran(made, {"failing": ["start"]}))


def test_a_failure_in_a_loop_may_lead_out_of_it_or_round_again() -> None:
    out = manifest(
        "start > a > b > start, b > default > end, rescue > end",
        error_groups={"g": ErrorGroup(("a",), "rescue")},
        cells={"rescue": Cell("do/rescue")},
        max_passes=3,
    )
    twice: Adds = lambda data: {"start": data["came_by"].count("b") < 2}  # noqa: E731
    assert end_of(ran(out, {}, b=twice))["came_by"] == ["start", "a", "b"] * 2 + ["default"]
    data = end_of(ran(out, {"failing": ["a"], "passes": 1}, b=twice))
    assert data["came_by"] == ["start", "a", "b", "start", "rescue"]
    again = manifest(
        "start > a > end, rescue > start",
        error_groups={"g": ErrorGroup(("a",), "rescue")},
        cells={"rescue": Cell("do/rescue")},
        max_passes=3,
    )
    mended: Adds = lambda _data: {"failing": []}  # noqa: E731
    data = end_of(ran(again, {"failing": ["a"]}, rescue=mended))
    assert data["came_by"] == ["start", "rescue", "start", "a"]
    assert "went round 3 times" in end_of(ran(again, {"failing": ["a"]}))


def test_failures_of_members_take_the_edge_of_their_join_with_the_snapshot() -> None:
    for join in (
        Join(("m1", "m2")),
        Join(("m1", "m2"), "sequential"),
        Join(("m1", "m2"), merge="do/merge"),
    ):
        made = manifest(
            "start > j > done > end, j > failure > end",
            joins={"j": join},
            dispatches={"j": (Dispatch("done", "true"),)},
            cells={"x": Cell("do/merge")},
        )
        assert end_of(ran(made, {}))["came_by"][-1] == "done"
        data = end_of(ran(made, {"failing": ["m1", "m2"]}))
        assert data["came_by"] == ["start", "failure"]
        assert [one["cell"] for one in data["join-error"]] == ["m1", "m2"]


def test_a_cell_that_runs_a_manifest_takes_success_or_failure() -> None:
    child = manifest("start > pay > end, start > default > error", id="pay")
    made = manifest(
        "start > success > end, start > failure > end", cells={"start": Cell("pay", flow="pay")}
    )
    flow, inner = flow_of_manifest(made), flow_of_manifest(child)
    cells = ("start", "pay", "default", "success", "failure")
    handlers = {f"do/{name}": lambda data: {"last": sorted(data)} for name in cells}
    good = run(flow, {"pay": True, "error": "an old one"}, others=[inner], handlers=handlers)
    assert (good.statuses["success"], good.statuses["failure"]) == ("completed", "skipped")
    bad = run(flow, {"n": 1, "error": "no card"}, others=[inner], handlers=handlers)
    assert (bad.statuses["success"], bad.statuses["failure"]) == ("skipped", "completed")
    assert bad.outputs["failure"]["n"] == 1
    assert "error" in bad.outputs["failure"]["last"]
