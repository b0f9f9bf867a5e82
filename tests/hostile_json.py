"""JSON as somebody would send it who wants to do harm: strategies for hypothesis.

`accepted` are values that the product takes, and must carry everywhere as they are. `beyond` are
values that it refuses with a sentence. `texts` are JSON texts of both kinds, for what only text can
say: `1e5000`, a key twice, escapes of characters that PostgreSQL cannot store.
"""

import json
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from dagster_pgflow.limits import MOST_DIGITS, MOST_LEVELS

Json = Any
Values = st.SearchStrategy[Json]
Texts = st.SearchStrategy[str]

DAGSTER_KEYS = ("__class__", "__enum__", "__set__", "__frozenset__", "__mapping_items__")
"""What Dagster's serialisation takes for its own."""

SIMILAR_KEYS = ("__field__", "__serdes", "__", "__class", "___class__", "__repository_handle__")

OWN_KEYS = tuple(
    f"dagster-pgflow/{name}"
    for name in (
        "json",
        "input",
        "skipped",
        "batch",
        "iteration",
        "iteration_end",
        "outcome",
        "names",
        "",
    )
)

ODD_KEYS = ("", " ", "$ref", "$input", "$nodes.a", "${$input}", "env", "config", "value", ".", "🙂")

MEANT: tuple[Json, ...] = (
    # What makes sense to Dagster, and what makes it stumble.
    {"__class__": "SensorTick"},
    {"__class__": "DagsterRun", "job_name": "a", "run_id": "b"},
    {"__class__": "RunRequest", "run_key": None, "run_config": {}, "tags": {}},
    {"__class__": "MaterializeAsset"},
    {"__class__": None},
    {"__class__": ["DagsterRun"]},
    {"__enum__": "DagsterRunStatus.SUCCESS"},
    {"__enum__": "DagsterRunStatus.NONE"},
    {"__enum__": "no dot"},
    {"__enum__": 7},
    {"__set__": [1, 2, 2]},
    {"__set__": [[1]]},
    {"__set__": None},
    {"__frozenset__": []},
    {"__frozenset__": {"a": 1}},
    {"__mapping_items__": [["a", 1]]},
    {"__mapping_items__": [[{}, 1]]},
    {"__mapping_items__": 5},
    {"__serdes": "wrapper"},
    # What makes sense to us.
    {"dagster-pgflow/json": '{"a": 1}'},
    {"dagster-pgflow/json": "{"},
    {"dagster-pgflow/json": 5},
    {"dagster-pgflow/input": "00000000-0000-4000-8000-000000000000"},
    {"dagster-pgflow/skipped": {"reason": "handler_failed", "step": "a", "cascade": True}},
    {"dagster-pgflow/skipped": 1},
    {"dagster-pgflow/batch": {"start": 0, "values": [1]}},
    {"dagster-pgflow/batch": None},
    {"dagster-pgflow/iteration": {"flow_input": 1, "outside": {}, "before": {}}},
    {"dagster-pgflow/iteration_end": {"output": 1}},
    {"error": {"message": "none", "attempts": 3}},
)

LARGE: tuple[Json, ...] = (
    {"k" * 100_000: 1, "🙂" * 30_000: {"__class__": "SensorTick"}},
    ["x" * 200_000],
    list(range(20_000)),
    [{"__set__": []}] * 3000,
    {str(number): None for number in range(3000)},
)

NUMBERS: tuple[Json, ...] = (
    *(0, -0.0, 1.0, 0.1, 1e16, 1e-7, 1e22, 1e308, -1.7976931348623157e308, 5e-324, 2.5e-320),
    *(2**31, 2**53, 2**53 + 1, 2**63, -(2**63) - 1, 2**64, 10**309, 10 ** (MOST_DIGITS - 1)),
    1 - 10**MOST_DIGITS,
)

TEXTS: tuple[str, ...] = (
    *("", " ", "null", "true", "1e5000", "[]", "{{ x }}", "%s %(a)s", "{0}", "';--", '"', "\\"),
    *("\\u0000", "\x01\x1b[2J\x7f", "\x85\u2028\u2029\ufeff", "\u202egnp.exe", "\u0301" * 20),
    *("🙂", "\U0010ffff", "\uffff", "e\u0301é", "- a: b\n  #c\r\n\t", "!!python/object:x", "& *a"),
    *("<script>", "x" * 5000, "ä" * 3000),
)

_texts = st.one_of(
    st.sampled_from(TEXTS),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=8),
)
_keys = st.one_of(
    st.sampled_from((*DAGSTER_KEYS, *SIMILAR_KEYS, *OWN_KEYS, *ODD_KEYS)),
    _texts,
)
_numbers = st.one_of(
    st.sampled_from(NUMBERS),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(1, MOST_DIGITS).map(lambda digits: 10**digits - 1),
)
_scalars = st.one_of(st.none(), st.booleans(), _numbers, _texts)


def _within(inner: Values) -> Values:
    """Return lists and objects of values, often with one key alone: only that can be a marker."""
    return st.one_of(
        st.lists(inner, max_size=4),
        st.builds(lambda key, value: {key: value}, _keys, inner),
        st.dictionaries(_keys, inner, max_size=4),
        st.builds(lambda value, count: [value] * count, inner, st.sampled_from((0, 1, 30))),
    )


def nested(value: Json, levels: int, wrap: Callable[[Json], Json] = lambda inner: [inner]) -> Json:
    """Return a value below so many levels of lists, or of what `wrap` makes."""
    for _ in range(levels):
        value = wrap(value)
    return value


_WRAPS: tuple[Callable[[Json], Json], ...] = (
    lambda inner: [inner],
    lambda inner: {"a": inner},
    lambda inner: {"": inner},
    lambda inner: {"__set__": inner},
    lambda inner: {"dagster-pgflow/json": inner},
    lambda inner: [0, {"__class__": inner}, "]"],
)
_wraps = st.sampled_from(_WRAPS)


def _levels_of(value: Json) -> int:
    if isinstance(value, dict):
        value = list(value.values())
    return 1 + max(map(_levels_of, value), default=0) if isinstance(value, list) else 0


def _is_shallow(value: Json) -> bool:
    return _levels_of(value) <= MOST_LEVELS


_shallow = st.recursive(st.one_of(_scalars, st.sampled_from(MEANT)), _within, max_leaves=6)

accepted: Values = st.one_of(
    st.sampled_from((*MEANT, *LARGE)),
    _shallow,
    st.builds(nested, _shallow, st.sampled_from((1, 19, 20, 21, 50)), _wraps),
    st.builds(
        nested, _scalars, st.sampled_from((MOST_LEVELS - 1, MOST_LEVELS)), st.just(_WRAPS[0])
    ),
    st.builds(nested, _scalars, st.sampled_from((MOST_LEVELS // 2, 49)), _wraps),
).filter(_is_shallow)
"""Values that the product takes."""

_too_long = st.integers(MOST_DIGITS, 5000).map(lambda digits: 10**digits)
_too_deep = st.builds(
    nested,
    st.one_of(_scalars, st.sampled_from(MEANT)),
    st.sampled_from((MOST_LEVELS + 1, 450, 500, 501, 900, 1000, 1500, 3000)),
    _wraps,
)
beyond: Values = st.one_of(
    _too_deep,
    _too_long,
    st.builds(lambda number, inner: {"a": number, "b": inner}, _too_long, _shallow),
    st.builds(nested, _too_long, st.integers(1, 40), _wraps),
)
"""Values of JSON's types that are too much, in depth or in digits."""


_TEXTS_TAKEN = (
    *("1e300", "1e999", "-0", "-0.0", "1E+2", "0e10", "1e-400", "0.1e-20"),
    *(
        '{"a":1,"a":{"__class__":"SensorTick"}}',
        '{"__set__":[],"__set__":[[]]}',
        " [ ] ",
        '"\\u0041"',
    ),
)
_TEXTS_REFUSED = (
    *("1e1000", "1e5000", "-1E+100000", "1" * 5000, "1e-5000", f"{'9' * 400}.5"),
    *('"\\u0000"', '{"\\u0000":1}', '"\\ud800"', '{"a":"\\udc00\\ud800"}'),
    *("[" * n + "]" * n for n in (MOST_LEVELS + 1, 500, 1000, 5000)),
    *('{"a":' * n + "1" + "}" * n for n in (MOST_LEVELS + 1, 500, 1000, 5000)),
    *("NaN", "Infinity", "[1,]", "{'a': 1}", "", "nul", "01", '"\t"', "[1e5000, [[[]]]]"),
)
taken_texts: st.SearchStrategy[str] = st.one_of(
    accepted.map(json.dumps), st.sampled_from(_TEXTS_TAKEN)
)
"""JSON texts that the product takes."""

refused_texts: Texts = st.sampled_from(_TEXTS_REFUSED)
"""Texts that PostgreSQL or the product refuses."""

texts: Texts = st.one_of(taken_texts, refused_texts)
"""JSON texts, good and bad."""
