"""What is wrong with the cells, edges, labels and parts of a manifest, all of it at once."""

from typing import Any

import pytest

from dagster_pgflow.dsl.manifest.checking import problems_of
from dagster_pgflow.dsl.manifest.manifest import (
    Cell,
    Dispatch,
    ErrorGroup,
    Interceptor,
    InterceptorScope,
    Join,
    Manifest,
    Resilience,
    Transform,
    Transforms,
)
from tests.unit.dsl.manifest.manifests import manifest

PLAIN = "start > a > end"
FORKED = "start > a > end, start > b > end"
YES, NO = Dispatch("yes", "data.ok == true"), Dispatch("no", "data.ok == false")


def codes(read: Manifest) -> list[tuple[str, str]]:
    return [(problem.code, problem.path) for problem in problems_of(read)]


@pytest.mark.parametrize("ways", [PLAIN, FORKED, "start > start, start > end", "start > halt"])
def test_sound_manifests_have_no_problems(ways: str) -> None:
    assert codes(manifest(ways)) == []


@pytest.mark.parametrize(
    ("ways", "changes", "expected"),
    [
        ("a > end", {}, [("no-start", "cells")]),
        (
            PLAIN,
            {"edges": {"start": {"": "aa"}, "a": {"": "end"}}},
            [("unknown-target", "edges.start")],
        ),
        (
            PLAIN,
            {"cells": {"b": Cell("b")}},
            [("no-edges", "edges.b"), ("unreachable-cell", "cells.b")],
        ),
        (
            PLAIN,
            {"edges": {"start": {"": "a"}, "a": {"": "end"}, "c": {"": "end"}}},
            [("unknown-cell", "edges.c")],
        ),
        ("start > a > end, b > end", {}, [("unreachable-cell", "cells.b")]),
        (
            "start > a > b > a",
            {},
            [
                ("no-way-to-end", "cells.start"),
                ("no-way-to-end", "cells.a"),
                ("no-way-to-end", "cells.b"),
            ],
        ),
        (
            "start > a > b > a, start > b > end",
            {},
            [("overlapping-loops", "edges.b")],
        ),
        (PLAIN, {"max_passes_of": {("start", ""): 5}}, [("no-loop", "edges.start")]),
        (PLAIN, {"dispatches": {"start": (YES,)}}, [("needless-dispatch", "dispatches.start")]),
        (PLAIN, {"dispatches": {"c": (YES,)}}, [("unknown-cell", "dispatches.c")]),
        (
            "start > end",
            {"cells": {"end": Cell("x")}},
            [("no-edges", "edges.end"), ("name-taken", "cells.end")],
        ),
    ],
)
def test_edges_lead_somewhere(ways: str, changes: dict[str, Any], expected: object) -> None:
    assert codes(manifest(ways, **changes)) == expected


@pytest.mark.parametrize(
    ("dispatches", "expected"),
    [
        ((YES, NO), []),
        ((YES,), [("label-without-predicate", "edges.start.no")]),
        ((YES, NO, Dispatch("maybe", "true")), [("unknown-label", "dispatches.start[2]")]),
        ((YES, NO, YES), [("duplicate-label", "dispatches.start[2]")]),
        (
            (),
            [
                ("label-without-predicate", "edges.start.yes"),
                ("label-without-predicate", "edges.start.no"),
            ],
        ),
    ],
)
def test_labels_have_predicates(dispatches: tuple[Dispatch, ...], expected: object) -> None:
    edges = {"start": {"yes": "end", "no": "error"}}
    assert codes(manifest("start > end", edges=edges, dispatches={"start": dispatches})) == expected


def test_default_is_last_and_always_holds() -> None:
    edges = {"start": {"default": "end", "yes": "error"}}
    first = manifest(
        "start > end", edges=edges, dispatches={"start": (Dispatch("default", "true"), YES)}
    )
    asked = manifest(
        "start > end", edges=edges, dispatches={"start": (YES, Dispatch("default", "data.x"))}
    )
    silent = manifest("start > end", edges=edges, dispatches={"start": (YES,)})
    assert codes(first) == [("default-not-last", "dispatches.start[0]")]
    assert codes(asked) == [("default-with-predicate", "dispatches.start[1]")]
    assert codes(silent) == []


def test_a_flow_has_success_and_failure_without_saying_so() -> None:
    edges = {"start": {"success": "end", "failure": "error"}}
    assert codes(manifest("start > end", edges=edges, cells={"start": Cell("pay", "pay")})) == []
    told = problems_of(manifest("start > end", edges=edges, cells={"start": Cell("pay/all")}))
    assert [problem.message for problem in told] == [
        f'Nothing says when "{label}" is taken; add a predicate to dispatches.start, or load the'
        ' flow "pay_all" before it or with it, if this cell is to run that.'
        for label in ("success", "failure")
    ]


BOTH = {"both": Join(("a", "b"))}


@pytest.mark.parametrize(
    ("ways", "changes", "expected"),
    [
        ("start > both > end", {"joins": BOTH}, []),
        (
            "start > both",
            {
                "joins": BOTH,
                "edges": {"start": {"": "both"}, "both": {"done": "end", "failure": "error"}},
            },
            [],
        ),
        ("start > both > end", {"joins": {"both": Join(())}}, [("empty-join", "joins.both.cells")]),
        (
            "start > both > end, a > end",
            {"joins": BOTH},
            [("edges-in-join", "edges.a")],
        ),
        ("start > both > end, start > a", {"joins": BOTH}, [("edge-into-join", "edges.start.a")]),
        (
            "start > both > more > end",
            {"joins": BOTH | {"more": Join(("b", "c"))}},
            [("cell-in-two-joins", "joins.more.cells[0]")],
        ),
        (
            "start > both > end",
            {"joins": BOTH, "error_groups": {"g": ErrorGroup(("a",), "end")}},
            [("group-in-join", "error-groups.g.cells[0]")],
        ),
        (
            "start > both > end",
            {"joins": BOTH, "timeouts": {"a": 5}},
            [("timeout-in-join", "timeouts.a")],
        ),
        (
            PLAIN,
            {
                "error_groups": {
                    "g": ErrorGroup(("start", "x"), "a"),
                    "h": ErrorGroup(("start",), "b"),
                }
            },
            [
                ("unknown-cell", "error-groups.g.cells[1]"),
                ("cell-in-two-groups", "error-groups.h.cells[0]"),
                ("unknown-target", "error-groups.h.on-error"),
            ],
        ),
        (
            PLAIN,
            {"error_groups": {"g": ErrorGroup(("a",), "a")}},
            [("own-failures", "error-groups.g.on-error")],
        ),
        (
            PLAIN,
            {"timeouts": {"a": 5, "x": 5}},
            [("no-timeout-edge", "timeouts.a"), ("unknown-cell", "timeouts.x")],
        ),
        (PLAIN, {"resilience": {"x": Resilience()}}, [("unknown-cell", "resilience.x")]),
        (
            PLAIN,
            {"interceptors": (Interceptor("log", InterceptorScope(cells=("x",)), pre="log"),)},
            [("unknown-cell", "interceptors[0].scope.cells")],
        ),
        (
            FORKED,
            {"transforms": {"start": Transforms(outputs={"c": Transform("fit")})}},
            [("unknown-label", "transforms.start.c")],
        ),
    ],
)
def test_parts_fit_the_cells(ways: str, changes: dict[str, Any], expected: object) -> None:
    assert codes(manifest(ways, **changes)) == expected


def test_timeouts_take_the_edge_of_their_name() -> None:
    edges = {"start": {"timeout": "error", "default": "end"}}
    assert codes(manifest("start > end", edges=edges, timeouts={"start": 5})) == []
    (untimed,) = problems_of(manifest("start > end", edges=edges))
    assert (untimed.code, "timeouts" in untimed.message) == ("label-without-predicate", True)


def test_strict_manifests_say_where_failures_lead_to() -> None:
    named = {"start": Cell("s", on_error="b", declares_on_error=True)}
    null = {name: Cell("x", declares_on_error=True) for name in "ab"}
    assert codes(manifest(FORKED, cells=named | null, strict=True)) == []
    assert codes(manifest(PLAIN, cells=named, strict=True)) == [
        ("unknown-target", "cells.start.on-error"),
        ("no-on-error", "cells.a"),
    ]
    lost = manifest("start > end, b > end", cells=named | {"b": null["b"]}, strict=True)
    assert ("unreachable-on-error", "cells.start.on-error") in codes(lost)


def test_a_name_with_a_typing_error_is_told_once_and_with_what_is_meant() -> None:
    read = manifest("start > charge > end", edges={"start": {"": "chrage"}, "charge": {"": "end"}})
    (problem,) = problems_of(read)
    assert problem.message == 'There is no cell, join or terminal "chrage"; do you mean "charge"?'


def test_loops_that_overlap_are_named_with_both_edges_back() -> None:
    (problem,) = problems_of(manifest("start > a > b > a, start > b > end"))
    assert "begin at a, b" in problem.message
    assert "b -(a)-> a, a -> b" in problem.message
