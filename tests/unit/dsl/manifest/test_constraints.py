"""Constraints hold on every way, and a violation names a shortest way that breaks it."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagster_pgflow.dsl.manifest.constraints import constraint_problems
from dagster_pgflow.dsl.manifest.graph import graph_of
from dagster_pgflow.dsl.manifest.manifest import Constraint, ConstraintKind, ErrorGroup, Join
from tests.unit.dsl.manifest.manifests import manifest


def said(ways: str, kind: ConstraintKind, *cells: str, **changes: Any) -> str | None:
    constraint = Constraint(kind, cells, "constraints[0]")
    read = manifest(ways, constraints=(constraint,), **changes)
    found = list(constraint_problems(read, graph_of(read)))
    assert len(found) <= 1
    return found[0].message if found else None


DIAMOND = "start > a > c > end, start > b > c"


@pytest.mark.parametrize(
    ("ways", "kind", "cells", "expected"),
    [
        (DIAMOND, "must-follow", ("a", "c"), None),
        (
            DIAMOND,
            "must-follow",
            ("start", "a"),
            '"a" does not come behind "start" on the way start -(b)-> b -> c -> end.',
        ),
        (
            "start > a > b > a, b > end",
            "must-follow",
            ("b", "a"),
            '"a" does not come behind "b" on the way start -> a -> b -(end)-> end.',
        ),
        (DIAMOND, "must-precede", ("start", "c"), None),
        (
            DIAMOND,
            "must-precede",
            ("a", "c"),
            '"a" does not come before "c" on the way start -(b)-> b -> c.',
        ),
        (
            DIAMOND,
            "must-precede",
            ("c", "start"),
            '"c" does not come before "start" on the way start.',
        ),
        (DIAMOND, "never-together", ("a", "b"), None),
        (
            DIAMOND,
            "never-together",
            ("b", "c"),
            "More than one of b, c lies on the way start -(b)-> b -> c.",
        ),
        (
            "start > a > b > a, b > end",
            "never-together",
            ("b", "a"),
            "More than one of b, a lies on the way start -> a -> b.",
        ),
        (DIAMOND, "always-reachable", ("c",), None),
        (
            DIAMOND,
            "always-reachable",
            ("a",),
            '"a" is left out on the way start -(b)-> b -> c -> end.',
        ),
        ("start > a > end, start > error", "always-reachable", ("a",), None),
        (
            "start > a > end, start > error",
            "must-follow",
            ("start", "a"),
            '"a" does not come behind "start" on the way start -(error)-> error.',
        ),
    ],
)
def test_a_violation_names_a_shortest_way(
    ways: str, kind: ConstraintKind, cells: tuple[str, ...], expected: str | None
) -> None:
    assert said(ways, kind, *cells) == expected


def test_a_member_of_a_join_lies_where_the_join_lies() -> None:
    joins = {"both": Join(("a", "b"))}
    ways = "start > both > c > end"
    assert said(ways, "must-precede", "a", "c", joins=joins) is None
    assert said(ways, "always-reachable", "b", joins=joins) is None
    assert "start -> both" in str(said(ways, "never-together", "a", "b", joins=joins))


def test_only_members_that_run_one_after_the_other_have_an_order() -> None:
    ways = "start > both > end"
    for kind in ("must-follow", "must-precede"):
        one_by_one = {"both": Join(("a", "b"), "sequential")}
        assert said(ways, kind, "a", "b", joins=one_by_one) is None
        assert said(ways, kind, "b", "a", joins=one_by_one) is not None
        assert said(ways, kind, "a", "b", joins={"both": Join(("a", "b"))}) is not None


def test_the_way_of_a_failure_is_a_way() -> None:
    groups = {"mended": ErrorGroup(("a",), "mend")}
    found = said("start > a > b > end, mend > end", "always-reachable", "b", error_groups=groups)
    assert found == '"b" is left out on the way start -> a -(fails)-> mend -> end.'


def test_a_name_that_no_cell_has_is_told() -> None:
    assert said(DIAMOND, "must-follow", "a", "cc") == (
        'There is no cell or join "cc"; do you mean "c"?'
    )


names = ("start", "a", "b", "c", "end", "error")
drawn = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5)), min_size=1, max_size=9)
kinds: st.SearchStrategy[ConstraintKind] = st.sampled_from(
    ["must-follow", "must-precede", "never-together", "always-reachable"]
)


@given(drawn, kinds, st.permutations(["start", "a", "b", "c"]))
def test_a_constraint_is_broken_as_walking_all_ways_says(
    pairs: list[tuple[int, int]], kind: ConstraintKind, order: list[str]
) -> None:
    ways = ", ".join(f"{names[source]} > {names[target]}" for source, target in pairs)
    edges: dict[str, set[str]] = {name: set() for name in names}
    for source, target in pairs:
        edges[names[source]].add(names[target])
    cells = order[: {"always-reachable": 1, "never-together": 3}.get(kind, 2)]
    present = {names[index] for pair in pairs for index in pair}
    if not present.issuperset({"start", *cells}):
        return
    ending = {walk for walk in _walks(edges) if walk[-1] in ("end", "error")}
    open_ended = set(_walks(edges))
    looked_at = ending if kind in ("must-follow", "always-reachable") else open_ended
    broken = [walk for walk in looked_at if _breaks(kind, cells, walk)]
    assert (said(ways, kind, *cells) is not None) == bool(broken)


def _walks(edges: dict[str, set[str]]) -> Iterator[tuple[str, ...]]:
    """Yield every way with at most eight edges: twice around a manifest of four cells."""
    waiting: list[tuple[str, ...]] = [("start",)]
    while waiting:
        walk = waiting.pop()
        yield walk
        if len(walk) < 9:
            waiting += [(*walk, target) for target in edges[walk[-1]]]


def _breaks(kind: ConstraintKind, cells: list[str], walk: tuple[str, ...]) -> bool:
    match kind:
        case "must-follow":
            behind = walk[len(walk) - walk[::-1].index(cells[0]) :] if cells[0] in walk else cells
            return cells[1] not in behind
        case "must-precede":
            return cells[1] in walk and cells[0] not in walk[: walk.index(cells[1])]
        case "never-together":
            return len(set(walk) & set(cells)) > 1
        case "always-reachable":
            return walk[-1] == "end" and cells[0] not in walk
