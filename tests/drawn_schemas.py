"""Drawn input schemas: defaults everywhere, references, cycles, and parts without sense."""

from typing import Any

from hypothesis import strategies as st

NAMES = st.sampled_from(["a", "b", "c", "d/e", "f~g", "h%i"])
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["", "x", "ü"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)
REFERENCES = st.sampled_from(
    [
        "#",
        "#/$defs/a",
        "#/$defs/b",
        "#/$defs/d~1e",
        "#/$defs/f~0g",
        "#/$defs/h%i",
        "#/properties/a",
        "#/properties/a/items",
        "#/anyOf/0",
        "#/$defs/nowhere",
        "https://example.org/schema",
        7,
    ]
)


def _part(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries(
        {},
        optional={
            "default": VALUES,
            "$ref": REFERENCES,
            "type": st.sampled_from(["object", "array", "integer", ["string", "null"]]),
            "properties": st.dictionaries(NAMES, inner, max_size=3) | st.just(5),
            "items": inner,
            "prefixItems": st.lists(inner, max_size=2),
            "anyOf": st.lists(inner, max_size=2),
        },
    )


PARTS: st.SearchStrategy[Any] = st.recursive(
    st.booleans() | st.fixed_dictionaries({}, optional={"default": VALUES, "$ref": REFERENCES}),
    _part,
    max_leaves=8,
)

SCHEMAS: st.SearchStrategy[dict[str, Any]] = st.builds(
    lambda schema, defs: {**schema, "$defs": defs},
    _part(PARTS),
    st.dictionaries(NAMES, PARTS, max_size=4),
)
"""Objects as the database lets them in; most of them are JSON Schemas."""
