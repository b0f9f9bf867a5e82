"""The interpreter of manifests, held to what a person would work out by hand: a test for a rule."""

from typing import Any

import pytest

from dagster_pgflow.dsl.manifest.manifest import (
    Cell,
    Dispatch,
    ErrorGroup,
    Interceptor,
    InterceptorScope,
    Join,
    Manifest,
    Transform,
    Transforms,
)
from tests.manifests_reference.doings import HANDLERS, WORK
from tests.manifests_reference.interpreter import Outcome, Surroundings, interpreted

HAS_A = '"a" in data'


def does(*doing: Any) -> Cell:
    return Cell(WORK, params={"does": [list(one) for one in doing]})


def sets(key: str, value: Any = 1) -> Cell:
    return does(("set", key, value))


def run(
    cells: dict[str, Cell],
    edges: dict[str, Any],
    data: dict[str, Any] | None = None,
    flows: dict[str, Manifest] | None = None,
    asks: dict[str, Any] | None = None,
    **more: Any,
) -> Outcome:
    written = {name: {"": edge} if isinstance(edge, str) else edge for name, edge in edges.items()}
    manifest = Manifest("m", cells, written, **more)
    around = Surroundings(HANDLERS, flows or {}, {HAS_A: lambda d: "a" in d, **(asks or {})})
    return interpreted(manifest, data or {}, around)


def cells_of(outcome: Outcome) -> list[str]:
    return [visit.cell for visit in outcome.route]


def test_what_a_cell_returns_is_laid_over_what_it_received_and_lives_on() -> None:
    outcome = run({"start": sets("a"), "b": sets("b", 2)}, {"start": "b", "b": "end"}, {"x": 0})
    assert (outcome.status, outcome.output) == ("completed", {"x": 0, "a": 1, "b": 2})
    assert [visit.received for visit in outcome.route] == [{"x": 0}, {"x": 0, "a": 1}]


def test_without_propagation_only_what_was_returned_goes_on() -> None:
    cells = {"start": sets("a"), "b": sets("b", 2)}
    outcome = run(cells, {"start": "b", "b": "end"}, {"x": 0}, propagate_keys=False)
    assert outcome.route[1].received == {"a": 1}
    assert outcome.output == {"b": 2}


def test_what_is_no_map_fails_the_run() -> None:
    assert run({"start": does(("list",))}, {"start": "end"}).status == "failed"


TWO_WAYS = {"start": {"yes": "b", "default": "c"}, "b": "d", "c": "d", "d": "end"}


@pytest.mark.parametrize(("data", "way"), [({"a": None}, "b"), ({}, "c")])
def test_the_first_predicate_that_holds_takes_its_edge_and_default_is_last(
    data: dict[str, Any], way: str
) -> None:
    cells = {name: does() for name in ("start", "b", "c", "d")}
    outcome = run(cells, TWO_WAYS, data, dispatches={"start": (Dispatch("yes", HAS_A),)})
    # Where the ways meet, the cell runs once.
    assert cells_of(outcome) == ["start", way, "d"]


def test_predicates_are_asked_in_their_order_of_the_data_behind_the_cell() -> None:
    edges = {"start": {"first": "error", "second": "end"}}
    asked = (Dispatch("second", HAS_A), Dispatch("first", "true"))
    assert run({"start": sets("a")}, edges, dispatches={"start": asked}).status == "completed"


def test_no_match_ends_the_run_in_error() -> None:
    asked = {"start": (Dispatch("yes", HAS_A),)}
    outcome = run({"start": does()}, {"start": {"yes": "end"}}, dispatches=asked)
    assert (outcome.status, outcome.reason) == ("failed", "no way on behind start")


def test_error_fails_the_run() -> None:
    assert run({"start": does()}, {"start": "error"}).status == "failed"


JOINED = {"start": does(), "p": sets("k", "p"), "q": does(("copy", "k", "of_q"), ("set", "k", "q"))}


@pytest.mark.parametrize("strategy", ["parallel", "sequential"])
def test_members_of_a_join_see_one_snapshot_and_the_last_one_wins(strategy: Any) -> None:
    joins = {"j": Join(("p", "q"), strategy)}
    outcome = run(JOINED, {"start": "j", "j": {"done": "end"}}, {"k": 0}, joins=joins)
    assert [visit.received for visit in outcome.route] == [{"k": 0}] * 3
    assert outcome.output == {"k": "q", "of_q": 0}


def test_a_join_merges_as_its_handler_says() -> None:
    joins = {"j": Join(("p", "q"), merge="first_wins")}
    outcome = run(JOINED, {"start": "j", "j": "end"}, joins=joins)
    assert outcome.output == {"k": "p", "of_q": None, "merged": ["p", "q"]}


@pytest.mark.parametrize("has_edge", [True, False])
def test_a_join_tells_of_every_member_that_failed_and_drops_what_others_did(has_edge: bool) -> None:
    cells = {"start": does(), "p": does(("fail", "boom1")), "q": sets("b"), "r": does(("list",))}
    edges = {"start": "j", "j": {"done": "error"} | ({"failure": "end"} if has_edge else {})}
    joins = {"j": Join(("p", "q", "r"))}
    outcome = run(cells, edges, {"x": 1}, joins=joins)
    assert outcome.status == ("completed" if has_edge else "failed")
    errors = [{"cell": "p", "message": "boom1"}, {"cell": "r", "message": "?"}]
    assert outcome.output == {"x": 1, "join-error": errors}


COUNTS = does(("count", "n"))
AGAIN = {"start": "b", "b": {"again": "b", "default": "end"}}


def looped(last: int, **more: Any) -> Outcome:
    below = {"below": lambda data: data["n"] < last}
    asked = {"b": (Dispatch("again", "below"),)}
    return run({"start": does(), "b": COUNTS}, AGAIN, asks=below, dispatches=asked, **more)


def test_an_edge_back_is_a_loop() -> None:
    outcome = looped(3)
    assert (outcome.status, outcome.output) == ("completed", {"n": 3})
    assert cells_of(outcome) == ["start", "b", "b", "b"]


@pytest.mark.parametrize(("last", "status"), [(100, "completed"), (101, "failed")])
def test_a_loop_is_passed_a_hundred_times_at_most(last: int, status: str) -> None:
    assert looped(last).status == status


def test_a_loop_is_passed_as_often_as_manifest_and_edge_say() -> None:
    assert looped(3, max_passes=3).status == "completed"
    assert looped(4, max_passes=3).reason == "too many passes of b"
    assert looped(4, max_passes=3, max_passes_of={("b", "again"): 4}).status == "completed"


def test_the_passes_of_a_loop_inside_begin_anew_with_each_pass_of_the_one_around() -> None:
    cells = {"start": does(), "inner": does(("count", "i")), "outer": does(("count", "o"))}
    edges = {
        "start": "inner",
        "inner": {"again": "inner", "default": "outer"},
        "outer": {"again": "inner", "default": "end"},
    }
    asks = {"odd": lambda data: data["i"] % 2 == 1, "few": lambda data: data["o"] < 2}
    asked = {"inner": (Dispatch("again", "odd"),), "outer": (Dispatch("again", "few"),)}
    # Both loops begin with the same cell, so they are one, and there are four passes of it.
    outcome = run(cells, edges, asks=asks, dispatches=asked, max_passes=4)
    assert cells_of(outcome) == ["start", *["inner", "inner", "outer"] * 2]
    assert run(cells, edges, asks=asks, dispatches=asked, max_passes=3).status == "failed"
    cells["head"], edges["start"], edges["outer"]["again"] = does(), "head", "head"  # type: ignore[index]
    edges["head"] = "inner"
    assert run(cells, edges, asks=asks, dispatches=asked, max_passes=2).status == "completed"


def test_a_failure_in_an_error_group_goes_on_with_the_error_in_what_was_received() -> None:
    cells = {"start": does(("set", "b", 1), ("fail", "boom1")), "r": does()}
    groups = {"g": ErrorGroup(("start",), "r")}
    outcome = run(cells, {"start": "error", "r": "end"}, {"x": 1}, error_groups=groups)
    assert outcome.status == "completed"
    assert outcome.output == {"x": 1, "error": {"cell": "start", "message": "boom1"}}
    assert run(cells, {"start": "end", "r": "end"}).status == "failed"


def test_a_cell_that_takes_too_long_goes_on_where_its_timeout_leads() -> None:
    cells = {"start": does(("set", "b", 1), ("late_if", "a")), "t": does()}
    edges = {"start": {"timeout": "t", "default": "end"}, "t": "end"}
    late = run(cells, edges, {"a": 1}, timeouts={"start": 1000})
    assert late.output == {"a": 1, "timeout": True}
    assert cells_of(late) == ["start", "t"]
    assert run(cells, edges, timeouts={"start": 1000}).output == {"b": 1}


def test_data_passes_interceptors_from_outside_to_inside_and_back_with_transforms_inmost() -> None:
    around = (
        Interceptor("i", InterceptorScope(id_match="wo*"), pre="a_as_b", post="seen"),
        Interceptor("j", InterceptorScope(cells=("other",)), pre="seen"),
        Interceptor("k", InterceptorScope(id_match="x*"), pre="seen"),
        Interceptor("l", pre="without_a"),
    )
    own = {"start": Transforms(Transform("a_as_b"), Transform("without_a"))}
    cells = {"start": does(("copy", "b", "c"), ("set", "a", 5))}
    outcome = run(cells, {"start": "end"}, {"a": 1}, interceptors=around, transforms=own)
    assert outcome.route[0].received == {"a": 1}
    # a_as_b: b=1; without_a; a_as_b: b=None; the handler: c=None, a=5; without_a; seen.
    assert outcome.output == {"b": None, "c": None, "seen": 1}


CHILD = Manifest(
    "child", {"start": does(("fail_if", "a", "boom1"), ("set", "c", 1))}, {"start": {"": "end"}}
)
AROUND = {"start": {"success": "end", "failure": "f"}, "f": "end"}


def test_a_subworkflow_receives_the_map_and_what_it_ends_with_is_laid_over() -> None:
    cells = {"start": Cell("child", flow="child"), "f": does()}
    # A stale error is no failure of the child; interceptors stop at its door.
    outcome = run(
        cells,
        AROUND,
        {"error": 1},
        flows={"child": CHILD},
        interceptors=(Interceptor("i", post="seen"),),
    )
    assert cells_of(outcome) == ["start/start"]
    assert outcome.output == {"error": 1, "c": 1, "seen": 1}


def test_what_fails_in_a_subworkflow_arrives_as_error() -> None:
    cells = {"start": Cell("child", flow="child"), "f": does()}
    outcome = run(cells, AROUND, {"a": 1}, flows={"child": CHILD})
    assert cells_of(outcome) == ["start/start", "f"]
    assert outcome.output == {"a": 1, "error": {"cell": "start", "message": "boom1"}}
    assert (
        run(cells, {"start": {"success": "end"}}, {"a": 1}, flows={"child": CHILD}).status
        == "failed"
    )
