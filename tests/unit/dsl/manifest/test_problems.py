import math
from typing import Any

import pytest

from dagster_pgflow import read_manifest
from dagster_pgflow.errors import InvalidFlow
from tests.unit.dsl.manifest.reads import read

SOUND: dict[str, Any] = {"cells": {"start": "a"}, "edges": {"start": "end"}}


def cell(**fields: Any) -> dict[str, Any]:
    """Return a manifest of one cell with these fields."""
    return SOUND | {"cells": {"start": {"id": "a", **fields}}}


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"edges": {}}, "cells: A manifest has cells; add them, at least `start`. [missing-field]"),
    (SOUND | {"edgse": {}}, 'edgse: There is no such field here; "edges" may be meant. [unknown'),
    (SOUND | {":doc": "a"}, ':doc: There is no such field here; "doc" may be meant. [unknown'),
    (SOUND | {"description": "a"}, 'description: There is no such field here; "doc" may be meant.'),
    (SOUND | {"zzzz": 1}, "zzzz: There is no such field here; remove it. [unknown-field]"),
    (SOUND | {"id": 5}, "id: This should be the name of the manifest; got 5. [wrong-value]"),
    (SOUND | {"id": ":a"}, 'id: A name has no colon here; write "a". [wrong-value]'),
    (SOUND | {"doc": ["a"]}, 'doc: This should be a text; got ["a"]. [wrong-value]'),
    (SOUND | {"cells": []}, "cells: This should be an object: the name of a cell, and what it is;"),
    (SOUND | {"cells": {"start": 5}}, "cells.start: This should be the id of what does the work,"),
    (cell(id=None), "cells.start.id: This should be the name of what does the work; got null."),
    (SOUND | {"cells": {"start": {}}}, 'cells.start.id: A cell needs "id"; add it.'),
    (cell(handler="b"), 'cells.start.handler: There is no such field here; "id" may be meant.'),
    (cell(schema="inherited"), "cells.start.schema: This should be one of inherit; got"),
    (cell(schema={"in": {}}), "cells.start.schema.in: There is no such field here"),
    (cell(schema={"input": ["mapp"]}), "cells.start.schema.input: "),
    (cell(schema={"output": ["map", 5]}), "cells.start.schema.output: "),
    (cell(params=[1]), "cells.start.params: This should be an object; got [1]."),
    (cell(requires="db"), 'cells.start.requires: This should be a list; got "db".'),
    (cell(requires=[5]), "cells.start.requires[0]: This should be the name of a resource; got 5."),
    (cell(**{"on-error": 5}), "cells.start.on-error: This should be the name of a cell; got 5."),
    (SOUND | {"edges": {"start": 5}}, "edges.start: This should be a target, or an object of"),
    (SOUND | {"edges": {"start": {"a": {}}}}, 'edges.start.a.to: A target needs "to"; add it.'),
    (
        SOUND | {"edges": {"start": {"a": {"to": "end", "max-passes": 0}}}},
        "edges.start.a.max-passes: This should be a whole number from 1 to 2,147,483,647; got 0.",
    ),
    (SOUND | {"dispatches": {"start": {}}}, "dispatches.start: This should be a list; got {}."),
    (SOUND | {"dispatches": {"start": [["a"]]}}, "dispatches.start[0]: This should be a label and"),
    (SOUND | {"dispatches": {"start": [["a", "x >"]]}}, "dispatches.start[0]: `x >` is not a"),
    (SOUND | {"dispatches": {"start": [["a", 5]]}}, "dispatches.start[0]: "),
    (SOUND | {"joins": {"j": {}}}, 'joins.j.cells: A join needs "cells"; add it.'),
    (SOUND | {"joins": {"j": {"cells": []}}}, "joins.j.cells: This needs 1 or more; add."),
    (
        SOUND | {"joins": {"j": {"cells": ["a"], "strategy": "x"}}},
        "joins.j.strategy: This should be one of parallel, sequential; got",
    ),
    (SOUND | {"error-groups": {"g": {"cells": ["a"]}}}, "error-groups.g.on-error: An error group"),
    (SOUND | {"timeouts": {"start": "5"}}, "timeouts.start: This should be a whole number"),
    (SOUND | {"timeouts": {"start": True}}, "timeouts.start: This should be a whole number"),
    (SOUND | {"timeouts": {"start": 1.5}}, "timeouts.start: This should be a whole number"),
    (SOUND | {"resilience": {"start": {"retry": {"wait-ms": 5}}}}, "wait-ms: There is no such"),
    (SOUND | {"resilience": {"start": {"bulkhead": 5}}}, "bulkhead: This should be a bulkhead, or"),
    (SOUND | {"interceptors": [{"id": "a", "scope": "al"}]}, "interceptors[0].scope: This should"),
    (SOUND | {"interceptors": [{}]}, 'interceptors[0].id: An interceptor needs "id"; add it.'),
    (SOUND | {"transforms": {"start": {"input": {}}}}, "transforms.start.input.fn: A trans"),
    (SOUND | {"constraints": [{"type": "must"}]}, "constraints[0].type: This should be one of"),
    (SOUND | {"constraints": [{"type": "must-follow", "if": "a"}]}, '"must-follow" needs "then"'),
    (
        SOUND | {"invariants": [{"type": "always-reachable", "cell": "a", "if": "b"}]},
        'invariants[0].if: "always-reachable" says cell, and no "if"; remove it.',
    ),
    (SOUND | {"max-passes": 10**30}, "max-passes: This should be a whole number from 1 to"),
    (SOUND | {"validate": "lax"}, "validate: This should be one of strict, warn, off; got"),
    (SOUND | {"pipeline": ["start"]}, 'edges: A manifest with a pipeline has no "edges"; remove'),
    ({"cells": {}, "pipeline": ["a"]}, 'pipeline: A pipeline begins with "start"; put it first.'),
    ({"cells": {}, "pipeline": ["start", "start"]}, 'pipeline[1]: "start" is in the pipe'),
    ({"cells": {}, "pipeline": []}, "pipeline: This needs 1 or more; add."),
    ({"cells": {}, "pipeline": "start"}, 'pipeline: This should be a list; got "start".'),
]  # fmt: skip


@pytest.mark.parametrize(("document", "problem"), WRONG, ids=range(len(WRONG)))
def test_what_is_wrong_is_told_in_its_place(document: dict[str, Any], problem: str) -> None:
    _, problems = read(document)
    assert any(problem in found for found in problems), problems


def test_every_mistake_is_told_at_once_with_its_line_and_column() -> None:
    _, problems = read(
        "{:idd :shop\n"
        " :cells {:start {:id 5 :doc :a}\n"
        "         :b     {:id :b :schema {:input [:mapp]}}}\n"
        " :edges {:start {:x 7}}\n"
        " :dispatches {:start [[:x (fn [d] (inc d))]]}}"
    )
    assert [found.split(")")[0] for found in problems] == [
        "idd (line 1, column 2",
        "cells.start.id (line 2, column 22",
        "cells.start.doc (line 2, column 29",
        "cells.b.schema.input (line 3, column 41",
        "edges.start.x (line 4, column 21",
        "dispatches.start[0] (line 5, column 35",
    ]


def test_the_same_holds_for_yaml() -> None:
    _, problems = read("cells:\n  start:\n    idd: b\nedges: {start: 7}\ntimeouts:\n  start: x\n")
    assert [found.split(":")[0] for found in problems] == [
        "cells.start.idd (line 3, column 5)",
        "edges.start (line 4, column 16)",
        "timeouts.start (line 6, column 10)",
    ]


HOSTILE: list[Any] = [
    None,
    5,
    [],
    "",
    "[",
    "{:cells",
    {5: 1},
    {"cells": {5: "a"}},
    {"cells": {"__class__": {"__class__": 1}}},
    {"cells": object()},
    {"cells": {"start": b"a"}},
    {"cells": math.nan},
    {"cells": {"start": {"params": {"a": math.inf}}}},
    {"cells": {"": "a"}, "edges": {"": "end"}},
    {"cells": {"start": ""}},
    {"cells": {"a" * 100_000: "a"}},
    {"cells": {"start": {"id": "a", "params": {"a": 10**5000}}}},
    "cells: &a {start: *a}",
    "cells: {start: a}\n---\ncells: {start: a}",
    "{:cells {start {[] 1}}}",
    '{:cells {:start :a "start" :b} :edges {:start :end}}',
    "{:cells #{:a} :edges (a) :joins nil}",
    '{:cells {:start #pgflow/cel "1"}}',
]


@pytest.mark.parametrize("document", HOSTILE, ids=range(len(HOSTILE)))
def test_whatever_it_is_there_is_a_sentence(document: Any) -> None:
    with pytest.raises(InvalidFlow) as refused:
        read_manifest(document)
    assert all(problem.message.endswith(".") for problem in refused.value.problems)


def test_what_holds_itself_is_refused() -> None:
    document: dict[str, Any] = {"cells": {}}
    document["cells"]["start"] = document
    with pytest.raises(InvalidFlow, match="nested more than 100 levels deep"):
        read_manifest(document)


def test_a_thousand_problems_are_enough() -> None:
    cells = {f"c{number}": 5 for number in range(1_500)}
    with pytest.raises(InvalidFlow) as refused:
        read_manifest({"cells": cells})
    assert refused.value.problems[-1].code == "more-problems"
    assert len(refused.value.problems) == 1_001


def test_what_the_checks_say_has_its_place_too() -> None:
    with pytest.raises(InvalidFlow) as refused:
        read_manifest("{:cells {:start :a}\n :edges {:start\n  :nowhere}}")
    assert [problem.path for problem in refused.value.problems] == [
        "edges.start (line 2, column 10)"
    ]
