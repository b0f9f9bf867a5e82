"""Loops of manifests: where they begin, what closes them, and how they lie in each other."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagster_pgflow.dsl.manifest.graph import Graph, ManifestEdge, graph_of
from dagster_pgflow.dsl.manifest.loops import Loops, loops_of
from dagster_pgflow.dsl.manifest.manifest import ErrorGroup, Join
from tests.unit.dsl.manifest.manifests import manifest


def loops(ways: str) -> Loops:
    return loops_of(graph_of(manifest(ways)))


def shape(found: Loops) -> dict[str, tuple[str, str | None, int]]:
    return {
        loop.header: ("".join(sorted(loop.body)), loop.parent, loop.depth)
        for loop in found.loops.values()
    }


def test_what_has_no_edge_back_has_no_loop() -> None:
    assert loops("start > a > c > end, start > b > c") == Loops({}, ())


def test_a_cell_may_lead_to_itself() -> None:
    found = loops("start > a > a, a > end").loops["a"]
    assert (found.body, found.back_edges) == (frozenset("a"), (ManifestEdge("a", "a", "a"),))


@pytest.mark.parametrize(
    ("ways", "expected"),
    [
        ("start > a > b > a, b > end", {"a": ("ab", None, 0)}),
        ("start > start, start > end", {"start": ("start", None, 0)}),
        ("start > a > b > c > b, c > a, c > end", {"a": ("abc", None, 0), "b": ("bc", "a", 1)}),
        # The inner loop lasts longer than the outer one, and lies in it all the same.
        (
            "start > a > b > c > d > b, c > a, d > end",
            {"a": ("abcd", None, 0), "b": ("bcd", "a", 1)},
        ),
        # Two edges back to one cell close one loop.
        ("start > a > b > a, a > c > a, a > end", {"a": ("abc", None, 0)}),
        ("start > a > a, a > b > b, b > end", {"a": ("a", None, 0), "b": ("b", None, 0)}),
    ],
    ids=["one", "of the entry", "nested", "nested and longer", "two edges back", "one by one"],
)
def test_loops_are_found(ways: str, expected: object) -> None:
    found = loops(ways)
    assert (shape(found), found.tangles) == (expected, ())


def test_a_loop_that_is_entered_at_two_cells_is_a_tangle() -> None:
    (tangle,) = loops("start > a > b > a, start > b > end").tangles
    assert tangle.entries == ("a", "b")
    assert {(edge.source, edge.target) for edge in tangle.back_edges} == {("b", "a"), ("a", "b")}


def test_the_way_of_failures_closes_a_loop() -> None:
    read = manifest(
        "start > work > end, mend > work",
        error_groups={"mended": ErrorGroup(("work",), "mend")},
    )
    loop = loops_of(graph_of(read)).loops["work"]
    assert loop.body == {"work", "mend"}
    assert loop.back_edges == (ManifestEdge("mend", "", "work"),)


def test_a_join_is_one_node_of_a_loop() -> None:
    read = manifest("start > both > start, both > end", joins={"both": Join(("a", "b"))})
    assert loops_of(graph_of(read)).loops["start"].body == {"start", "both"}


def test_what_nobody_can_reach_enters_no_loop() -> None:
    found = loops("start > a > b > a, b > end, lost > b")
    assert (shape(found), found.tangles) == ({"a": ("ab", None, 0)}, ())


graphs = st.lists(st.tuples(st.integers(0, 7), st.integers(0, 8)), max_size=20)


@given(graphs)
def test_loops_are_what_dominance_says(pairs: list[tuple[int, int]]) -> None:
    """An edge back closes a loop where its target lies on every way to its source."""
    names = ("start", *"abcdefg", "end")
    graph = _graph(names, [(names[source], names[target]) for source, target in pairs])
    found = loops_of(graph)
    back = {
        edge
        for node in graph.order
        for edge in graph.leaving[node]
        if edge.target in graph.order and not _reaches(graph, "start", node, edge.target)
    }
    if not found.tangles:
        assert {edge for loop in found.loops.values() for edge in loop.back_edges} == back
    for loop in found.loops.values():
        natural = {loop.header} | {
            node
            for node in graph.order
            for edge in loop.back_edges
            if node != loop.header and _reaches(graph, node, edge.source, loop.header)
        }
        assert loop.body == natural
        assert loop.parent is None or loop.body < found.loops[loop.parent].body
    remaining = Graph(
        graph.nodes,
        {node: tuple(e for e in edges if e not in back) for node, edges in graph.leaving.items()},
        {},
    )
    is_acyclic = not any(
        _reaches(remaining, edge.target, node, None)
        for node in graph.order
        for edge in remaining.leaving[node]
    )
    assert is_acyclic == (not found.tangles)


def _graph(names: tuple[str, ...], pairs: list[tuple[str, str]]) -> Graph:
    unique = list(dict.fromkeys(pairs))
    leaving = {name: tuple(ManifestEdge(s, t, t) for s, t in unique if s == name) for name in names}
    return Graph(names, leaving, {})


def _reaches(graph: Graph, source: str, target: str, without: str | None) -> bool:
    """Return whether a node is reached from another one, on ways that leave a third one out."""
    if source == without:
        return False
    seen, waiting = {source}, [source]
    while waiting:
        for edge in graph.leaving[waiting.pop()]:
            if edge.target not in seen and edge.target != without:
                seen.add(edge.target)
                waiting.append(edge.target)
    return target in seen
