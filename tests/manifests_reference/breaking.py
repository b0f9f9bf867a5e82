"""Manifests with something wrong in them: anything anywhere, in values and in text."""

import copy
from typing import Any

from hypothesis import strategies as st

from tests.hostile_json import MEANT
from tests.manifests_reference.drawing import drawn_manifests
from tests.manifests_reference.writing import as_edn, as_object, as_yaml

WORDS = [
    *("", ":", "start", "end", "error", "halt", "default", "done", "failure", "success", "nope"),
    *(
        "timeout",
        "_exit/x0",
        "_exit/nope",
        "j1",
        "c1",
        "all",
        "inherit",
        "m",
        "m_child0",
        "é",
        "a b",
    ),
    *("data.a", "data.", "true", "(", "(:a d)", "data[", "__class__", "x" * 200, "\x00"),
]
FIELDS = [
    *("cells", "edges", "dispatches", "pipeline", "joins", "fragments", "error-groups", "timeouts"),
    *(
        "resilience",
        "interceptors",
        "transforms",
        "constraints",
        "invariants",
        "regions",
        "extends",
    ),
    *("max-passes", "propagate-keys", "validate", "coerce", "strict", "id", "doc", "input-schema"),
    *("schema", "input", "output", "params", "requires", "on-error", "flow", "to", "merge", "as"),
    *("ref", "fragment", "exits", "entry", "scope", "id-match", "pre", "post", "fn", "cell", "if"),
    *(
        "then",
        "before",
        "type",
        "strategy",
        "timeout-ms",
        "retry",
        "circuit-breaker",
        "rate-limiter",
    ),
]
ATOMS: st.SearchStrategy[Any] = (
    st.none()
    | st.booleans()
    | st.sampled_from([0, 1, -1, 2**31, 10**400, 1.5, 1e308])
    | st.sampled_from(WORDS)
    | st.sampled_from(MEANT)
)
VALUES = st.recursive(
    ATOMS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(FIELDS) | st.sampled_from(WORDS), inner, max_size=3)
    ),
    max_leaves=6,
)
SIGNS = [
    *"(){}[]\"'#:;,^~@%&*-/.\\ \n\t\x00é🙂",
    "#_",
    "#{",
    ":a",
    "nil",
    "1N",
    "1M",
    "\\newline",
    "##NaN",
]


@st.composite
def broken_objects(draw: st.DrawFn) -> Any:
    """Manifests as objects, in which some things are something else."""
    document: Any = copy.deepcopy(as_object(draw(drawn_manifests())))
    for _ in range(draw(st.integers(1, 3))):
        document = _changed(draw, document)
    return document


def _changed(draw: st.DrawFn, value: Any) -> Any:
    """Return a value in which one thing is something else, is gone, or is there besides."""
    if not isinstance(value, dict | list) or not value or not draw(st.integers(0, 5)):
        return draw(VALUES)
    if isinstance(value, list):
        return _changed_list(draw, value)
    return _changed_object(draw, value)


def _changed_list(draw: st.DrawFn, value: list[Any]) -> list[Any]:
    at = draw(st.integers(0, len(value) - 1))
    instead = {"gone": [], "twice": [value[at], value[at]]}
    what = draw(st.sampled_from(["inside", "inside", *instead]))
    here = instead[what] if what in instead else [_changed(draw, value[at])]
    return [*value[:at], *here, *value[at + 1 :]]


def _changed_object(draw: st.DrawFn, value: dict[str, Any]) -> dict[str, Any]:
    key = draw(st.sampled_from(sorted(value)))
    other = draw(st.sampled_from(FIELDS) | st.sampled_from(WORDS))
    rest = {name: part for name, part in value.items() if name != key}
    match draw(st.sampled_from(["inside", "inside", "inside", "gone", "other", "more"])):
        case "inside":
            return {**value, key: _changed(draw, value[key])}
        case "gone":
            return rest
        case "other":
            return {**rest, other: value[key]}
        case _:
            return {**value, other: draw(VALUES)}


@st.composite
def broken_texts(draw: st.DrawFn, in_edn: bool = True) -> str:
    """Manifests as EDN or YAML, in which some characters are others."""
    drawn = draw(drawn_manifests())
    text = as_edn(drawn) if in_edn else as_yaml(drawn)
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = start + draw(st.integers(0, 3))
        text = f"{text[:start]}{draw(st.sampled_from(['', *SIGNS]))}{text[end:]}"
    return text


NEW: dict[str, Any] = {"id": "work", "params": {"does": []}}
ALWAYS = "true"

PLANTED: dict[str, tuple[dict[str, Any], tuple[str, str]]] = {
    "an edge of nothing": ({"edges": {"p0": "end"}}, ("unknown-cell", "edges.p0")),
    "an edge to nothing": (
        {"cells": {"p1": NEW}, "edges": {"p1": "nowhere"}},
        ("unknown-target", "edges.p1"),
    ),
    "a label that nothing asks for": (
        {
            "cells": {"p2": NEW},
            "edges": {"p2": {"x": "end", "y": "end"}},
            "dispatches": {"p2": [["x", ALWAYS]]},
        },
        ("label-without-predicate", "edges.p2.y"),
    ),
    "a cell that leads nowhere": ({"cells": {"p3": NEW}}, ("no-edges", "edges.p3")),
    "a label twice": (
        {
            "cells": {"p4": NEW},
            "edges": {"p4": {"z": "end"}},
            "dispatches": {"p4": [["z", ALWAYS], ["z", ALWAYS]]},
        },
        ("duplicate-label", "dispatches.p4[1]"),
    ),
    "a predicate for no edge": (
        {
            "cells": {"p5": NEW},
            "edges": {"p5": {"z": "end"}},
            "dispatches": {"p5": [["q", ALWAYS], ["z", ALWAYS]]},
        },
        ("unknown-label", "dispatches.p5[0]"),
    ),
    "time without a way": (
        {"cells": {"p7": NEW}, "edges": {"p7": "end"}, "timeouts": {"p7": 1000}},
        ("no-timeout-edge", "timeouts.p7"),
    ),
    "a member that is no cell": (
        {"joins": {"p8": {"cells": ["nobody"]}}, "edges": {"p8": "end"}},
        ("unknown-cell", "joins.p8.cells[0]"),
    ),
    "a group of nobody": (
        {"error-groups": {"p9": {"cells": ["nobody"], "on-error": "end"}}},
        ("unknown-cell", "error-groups.p9.cells[0]"),
    ),
}
"""What can be added to any manifest, and the problem that it is."""


@st.composite
def planted_problems(draw: st.DrawFn) -> tuple[dict[str, Any], set[tuple[str, str]], Any]:
    """Manifests with problems that are known, and the flows that their cells run."""
    drawn = draw(drawn_manifests())
    document: dict[str, Any] = copy.deepcopy(as_object(drawn))
    names = draw(st.lists(st.sampled_from(sorted(PLANTED)), min_size=1, max_size=6, unique=True))
    for name in names:
        for field, given in PLANTED[name][0].items():
            document[field] = {**document.get(field, {}), **copy.deepcopy(given)}
    return document, {PLANTED[name][1] for name in names}, drawn.children
