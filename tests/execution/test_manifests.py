"""Manifests in real Dagster: which way a run takes, and with which data."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from dagster_pgflow.dsl.manifest.compile import flow_of_manifest
from dagster_pgflow.dsl.manifest.manifest import Join, Manifest
from tests.execution.harness import Result, run
from tests.unit.dsl.manifest.manifests import manifest

Adds = Callable[[dict[str, Any]], dict[str, Any]]


def ran(made: Manifest, data: dict[str, Any], **adds: Adds) -> Result:
    """Run a manifest whose cells note where the run came by, and add what a test says."""

    def doing(name: str) -> Adds:
        def work(given: dict[str, Any]) -> dict[str, Any]:
            came_by = [*given.get("came_by", []), name]
            return {"came_by": came_by, **adds.get(name, dict)({**given, "came_by": came_by})}

        return work

    handlers = {cell.id: doing(name) for name, cell in made.cells.items()}
    return run(flow_of_manifest(made), data, handlers={**handlers, "sum-up": summed_up})


def summed_up(results: dict[str, Any]) -> dict[str, Any]:
    """Merge what members of a join returned."""
    return {"results": {name: result["n"] for name, result in results.items()}}


def end_of(result: Result) -> Any:
    """Return the data map at the end of a run, or why it failed."""
    if not result.success:
        return result.error
    return next(output for path, output in reversed(result.outputs.items()) if "." not in path)


def way(result: Result) -> str:
    """Return the cells that a run came by."""
    return " ".join(end_of(result)["came_by"])


def test_a_run_takes_the_edge_of_the_first_predicate_that_holds() -> None:
    crossing = manifest("start > a > b > d > end, a > c > d, start > c, b > c")
    ways: dict[str, dict[str, Any]] = {
        "start a b d": {"a": True, "b": True, "d": True, "n": 2**60},
        "start a b c d": {"a": True, "b": True, "c": True},
        "start a c d": {"a": True, "c": True},
        "start c d": {"c": True},
    }
    for expected, data in ways.items():
        result = ran(crossing, data)
        assert way(result) == expected
        assert data.items() <= end_of(result).items()
    assert 'No edge of cell "start" was taken' in end_of(ran(crossing, {}))


def test_without_propagation_only_what_a_cell_returns_goes_on() -> None:
    bare = replace(
        manifest("start > review, review > start, review > end", max_passes=3),
        propagate_keys=False,
    )
    result = ran(
        bare, {"secret": 1}, review=lambda data: {"start": len(data["came_by"]) < 4, "end": True}
    )
    assert sorted(end_of(result)) == ["came_by", "end", "start"]
    assert way(result) == "start review start review"


def again_until(passes: int) -> Adds:
    def review(data: dict[str, Any]) -> dict[str, Any]:
        done = data["came_by"].count("review") >= passes
        return {"start": not done, "out": done}

    return review


@pytest.mark.parametrize("order", ["review > start, review > out", "review > out, review > start"])
def test_a_cycle_goes_round_until_it_is_left_or_has_gone_round_too_often(order: str) -> None:
    cycle = manifest(f"start > review, {order}, out > end", max_passes=3)
    assert way(ran(cycle, {}, review=again_until(1))) == "start review out"
    assert way(ran(cycle, {}, review=again_until(3))) == "start review " * 3 + "out"
    assert "went round 3 times" in end_of(ran(cycle, {}, review=again_until(4)))


def test_a_predicate_without_an_answer_is_passed_over_in_a_loop_too() -> None:
    cycle = manifest("start > review, review > out > end, review > default > start", max_passes=2)

    def late(data: dict[str, Any]) -> dict[str, Any]:
        return {"out": True} if data["came_by"].count("review") > 1 else {}

    assert way(ran(cycle, {}, review=late)) == "start review default start review out"


def test_loops_lie_in_each_other_and_are_left_by_several_cells() -> None:
    nested = manifest("start > a > b > c > b, c > a, c > out > end, b > left > end", max_passes=3)

    def takes(*labels: str) -> Callable[[str], Adds]:
        def named(name: str) -> Adds:
            def work(data: dict[str, Any]) -> dict[str, Any]:
                taken = labels[min(data["came_by"].count(name), len(labels)) - 1]
                return {label: label == taken for label in labels}

            return work

        return named

    by_b = ran(nested, {}, b=takes("c", "c", "c", "left")("b"), c=takes("b", "a", "b")("c"))
    assert way(by_b) == "start a b c b c a b c b left"
    by_c = ran(nested, {}, b=takes("c")("b"), c=takes("b", "a", "b", "out")("c"))
    assert way(by_c) == "start a b c b c a b c b c out"
    endless = end_of(ran(nested, {}, b=takes("c")("b"), c=takes("b")("c")))
    assert 'loop that begins with cell "b" went round 3 times' in endless


@pytest.mark.parametrize("strategy", ["parallel", "sequential"])
@pytest.mark.parametrize("merge", [None, "sum-up"])
def test_members_of_a_join_work_on_one_snapshot(strategy: Any, merge: str | None) -> None:
    joins = {"j": Join(("m1", "m-2"), strategy, merge)}
    made = manifest("start > j > end", joins=joins)
    result = ran(
        made,
        {"n": 1},
        m1=lambda data: {"n": data["n"] + 1, "one": True},
        **{"m-2": lambda data: {"n": data["n"] + 10}},
    )
    data = end_of(result)
    if merge is None:
        assert (data["n"], data["one"], data["came_by"]) == (11, True, ["start", "m-2"])
    else:
        assert data == {"n": 1, "came_by": ["start"], "results": {"m1": 2, "m-2": 11}}
