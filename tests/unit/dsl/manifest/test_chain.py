"""The schema chain: what a cell requires is given on every way to it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagster_pgflow.dsl.manifest.chain import chain_of, chain_problems
from dagster_pgflow.dsl.manifest.graph import graph_of
from dagster_pgflow.dsl.manifest.manifest import (
    Cell,
    ErrorGroup,
    Join,
    Manifest,
    Transform,
    Transforms,
)
from dagster_pgflow.errors import Problem
from tests.unit.dsl.manifest.manifests import manifest


def keys(names: str, **properties: Any) -> dict[str, Any]:
    """Return the schema of an object: `a b? c` with `b` optional."""
    properties = {name.rstrip("?"): {} for name in names.split()} | properties
    required = [name for name in names.split() if not name.endswith("?")]
    return {"type": "object", "properties": properties, "required": required}


def cell(wants: str = "", gives: str = "", **changes: Any) -> Cell:
    return Cell("do", input_schema=keys(wants), output_schema=keys(gives), **changes)


def problems(ways: str, cells: dict[str, Cell], **changes: Any) -> list[Problem]:
    read = manifest(ways, cells=cells, **changes)
    return list(chain_problems(read, graph_of(read)))


def missing(ways: str, cells: dict[str, Cell], **changes: Any) -> list[tuple[str, str]]:
    return [
        (problem.path.split(".")[1], problem.message.split('"')[3])
        for problem in problems(ways, cells, **changes)
    ]


def test_keys_live_on_through_all_later_cells() -> None:
    cells = {"start": cell("a", "b"), "x": cell("b", "c"), "y": cell("a b c")}
    assert missing("start > x > y > end", cells) == []


def test_a_key_that_one_way_lacks_is_missing_where_ways_meet() -> None:
    cells = {"start": cell(), "x": cell("", "k"), "y": cell(), "z": cell("k")}
    (problem,) = problems("start > x > z > end, start > y > z", cells)
    assert problem.path == "cells.z.schema.input"
    assert problem.message == (
        '"z" requires "k", which nothing gives on the way start -(y)-> y -> z;'
        " these are there: none."
    )


def test_the_inputs_of_the_entry_and_of_the_flow_are_given() -> None:
    cells = {"start": cell("a b?"), "x": cell("a b c")}
    assert missing("start > x > end", cells) == [("x", "c")]
    assert missing("start > x > end", cells, input_schema=keys("c?")) == []


def test_an_optional_output_is_not_certain() -> None:
    assert missing("start > x > end", {"start": cell("", "k?"), "x": cell("k")}) == [("x", "k")]


def test_behind_a_cell_without_any_schema_anything_may_be_there() -> None:
    assert missing("start > x > y > end", {"start": cell(), "y": cell("k")}) == []
    cells = {"start": cell(), "y": cell(), "z": cell("k")}
    assert missing("start > x > z > end, start > y > z", cells) == [("z", "k")]


def test_a_flow_may_add_anything() -> None:
    cells = {"start": cell("", flow="pay"), "x": cell("receipt")}
    assert missing("start > x > end", cells) == []


def test_outputs_are_by_the_label_of_the_edge() -> None:
    outputs = {"x": keys("k both"), "y": keys("both")}
    start = Cell("do", input_schema=keys(""), output_schemas=outputs)
    cells = {"start": start, "x": cell("k both"), "y": cell("k both")}
    assert missing("start > x > end, start > y > end", cells) == [("y", "k")]


def test_loops_keep_what_is_there_on_every_pass() -> None:
    cells = {"start": cell("a"), "x": cell("a", "b"), "y": cell("b", "c"), "z": cell("c")}
    ways = "start > x > y > x, y > z > end"
    assert missing(ways, cells) == []
    assert missing(ways, cells | {"x": cell("c", "b")}) == [("x", "c")]


def test_a_join_gives_what_all_of_its_members_give() -> None:
    cells = {"start": cell("s"), "a": cell("s", "x"), "b": cell("x", "y"), "z": cell("x y")}
    joins = {"both": Join(("a", "b"))}
    assert missing("start > both > z > end", cells, joins=joins) == [("b", "x")]


def test_a_failed_join_gives_only_its_errors() -> None:
    joins = {"both": Join(("a", "b"))}
    edges = {
        "start": {"": "both"},
        "both": {"done": "end", "failure": "z"},
        "z": {"": "end"},
    }
    cells = {"start": cell(), "a": cell("", "x"), "b": cell(), "z": cell("join-error x")}
    assert missing("start > z", cells, joins=joins, edges=edges) == [("z", "x")]


@pytest.mark.parametrize("merge", [None, "merged"])
def test_two_members_write_one_key_only_with_a_merge(merge: str | None) -> None:
    cells = {"start": cell(), "a": cell("", "x y"), "b": cell("", "x? z")}
    found = problems("start > both > end", cells, joins={"both": Join(("a", "b"), merge=merge)})
    said = [(problem.code, problem.path, problem.message.split(";")[0]) for problem in found]
    expected = [("key-written-twice", "joins.both", '"a" and "b" both write "x"')]
    assert said == ([] if merge else expected)


def test_without_propagation_only_outputs_are_there() -> None:
    cells = {"start": cell("a", "b"), "x": cell("a b")}
    assert missing("start > x > end", cells, propagate_keys=False) == [("x", "a")]


def test_failures_and_timeouts_give_what_the_cell_received_and_their_own_key() -> None:
    cells = {"start": cell("a", "b"), "x": cell("a error b"), "y": cell("a timeout b")}
    edges = {
        "start": {"timeout": "y", "default": "end"},
        "x": {"": "end"},
        "y": {"": "end"},
    }
    groups = {"all": ErrorGroup(("start",), "x")}
    found = missing("start > x", cells, edges=edges, error_groups=groups, timeouts={"start": 5})
    assert sorted(found) == [("x", "b"), ("y", "b")]


def test_the_way_of_a_failing_flow_has_its_error() -> None:
    edges = {"start": {"success": "end", "failure": "x"}, "x": {"": "end"}}
    cells = {"start": cell("a", flow="pay"), "x": cell("a error")}
    assert missing("start > x", cells, edges=edges) == []


def test_transforms_give_what_their_schemas_say() -> None:
    cells = {"start": cell("", "a"), "x": cell("b")}
    assert missing("start > x > end", cells) == [("x", "b")]
    for transforms in (
        {"x": Transforms(input=Transform("fit", keys("b")))},
        {"start": Transforms(output=Transform("fit", keys("b")))},
        {"start": Transforms(outputs={"": Transform("fit", keys("b"))})},
        {"x": Transforms(input=Transform("fit"))},
    ):
        assert missing("start > x > end", cells, transforms=transforms) == []


TEXT, NUMBER, INTEGER = {"type": "string"}, {"type": "number"}, {"type": "integer"}


def typed(wants: dict[str, Any] | None, gives: dict[str, Any] | None) -> Cell:
    return Cell(
        "do",
        input_schema=keys("k", k=wants) if wants else keys(""),
        output_schema=keys("k", k=gives) if gives else keys(""),
    )


def test_a_key_that_cannot_be_what_is_wanted_is_told_with_who_gives_it() -> None:
    (problem,) = problems(
        "start > x > end", {"start": typed(None, TEXT), "x": typed(INTEGER, None)}
    )
    assert problem.code == "wrong-key-type"
    assert problem.message.startswith('"x" cannot take "k" as "start" gives it: ')
    fits = {"start": typed(None, NUMBER), "x": typed(INTEGER, None)}
    assert problems("start > x > end", fits) == []


def test_the_last_one_who_writes_a_key_decides_its_type() -> None:
    cells = {"start": typed(None, TEXT), "x": typed(None, INTEGER), "y": typed(INTEGER, None)}
    assert problems("start > x > y > end", cells) == []
    assert len(problems("start > x > y > end, start > y", cells)) == 1


def test_the_type_of_an_input_of_the_flow_is_held_to_what_cells_want() -> None:
    cells = {"start": typed(INTEGER, None)}
    (problem,) = problems("start > end", cells, input_schema=keys("k", k=TEXT))
    assert "the input of the flow" in problem.message


def test_who_says_nothing_of_itself_may_have_changed_a_type() -> None:
    cells = {"start": typed(None, TEXT), "y": typed(INTEGER, None)}
    assert problems("start > x > y > end", cells) == []


def test_the_work_is_linear_in_edges_however_many_ways_there_are() -> None:
    """Forty diamonds in a row have 2 to the power of 40 ways."""
    for count in (40, 80):
        names = [f"{part}{number}" for number in range(count) for part in "abcd"]
        ways = "start > a0, " + ", ".join(
            f"a{n} > b{n} > d{n}, a{n} > c{n} > d{n} > {'end' if n == count - 1 else f'a{n + 1}'}"
            for n in range(count)
        )
        cells = {name: cell("k", f"of_{name}") for name in names} | {"start": cell("k")}
        read = manifest(ways, cells=cells)
        graph = graph_of(read)
        edges = sum(len(graph.leaving[node]) for node in graph.order)
        assert chain_of(read, graph).work <= edges
        assert list(chain_problems(read, graph)) == []


drawn_cells = st.lists(
    st.tuples(st.sets(st.sampled_from("pq"), max_size=1), st.sets(st.sampled_from("pqr"))),
    min_size=5,
    max_size=5,
)
drawn_ways = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 5)), min_size=1, max_size=10)


@given(drawn_cells, drawn_ways, st.booleans())
def test_the_chain_says_what_walking_all_ways_says(
    drawn: list[tuple[set[str], set[str]]], pairs: list[tuple[int, int]], keeps: bool
) -> None:
    names = ("start", "a", "b", "c", "d", "end")
    ways = ", ".join(f"{names[source]} > {names[target]}" for source, target in pairs)
    cells = {
        name: cell(" ".join(sorted(wants)), " ".join(sorted(gives)))
        for name, (wants, gives) in zip(names, drawn, strict=False)
    }
    read = manifest(ways, cells=cells, propagate_keys=keeps)
    said = missing(ways, cells, propagate_keys=keeps)
    assert set(said) == _missing_on_walks(read, keeps)
    assert len(said) == len(set(said))


def _missing_on_walks(read: Manifest, keeps: bool) -> set[tuple[str, str]]:
    """Return what is missing on some way, from every state that a way can lead to."""
    first = frozenset(read.cells["start"].input_schema["properties"])  # type: ignore[index]
    seen, waiting = {("start", first)}, [("start", first)]
    found: set[tuple[str, str]] = set()
    while waiting:
        node, there = waiting.pop()
        if node == "end":
            continue
        schemas = read.cells[node]
        found |= {(node, key) for key in schemas.input_schema["required"] if key not in there}  # type: ignore[index]
        added = frozenset(schemas.output_schema["properties"])  # type: ignore[index]
        behind = there | added if keeps else added
        for target in read.edges.get(node, {}).values():
            if (target, behind) not in seen:
                seen.add((target, behind))
                waiting.append((target, behind))
    return found
