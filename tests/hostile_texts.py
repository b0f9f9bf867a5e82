"""Draws texts as somebody might send them who wants a reader of definitions to break."""

import json
import sys
from typing import Any

import yaml
from hypothesis import strategies as st

from tests.hostile_json import accepted, beyond
from tests.workflow_documents import NAMES, document

FLOW: dict[str, Any] = {
    "slug": "order",
    "description": "An order\nof two lines",
    "tags": {"team": "shop"},
    "input_schema": {"type": "object", "properties": {"n": {"type": "integer"}}},
    "options": {"max_attempts": 2},
    "schedules": [{"cron": "0 6 * * *", "input": {"n": 1}}],
    "steps": [
        {"slug": "first", "type": "single", "params": {"path": "a/b", "limit": 1.5}},
        {"slug": "each", "type": "map", "depends_on": ["first"], "if": {"first": [1]}},
        {
            "slug": "choose",
            "type": "branch",
            "depends_on": ["each"],
            "rules": [{"when": "size(output) > 1", "then": ["many"]}],
            "default_path": [],
        },
        {"slug": "many", "type": "single", "depends_on": ["choose"], "options": {"timeout": 5}},
        {"slug": "sub", "type": "subflow", "flow": "pay", "depends_on": ["first"], "input": {}},
    ],
}
DOCUMENTS = [FLOW, [FLOW, {"slug": "pay"}], *map(document, NAMES)]

JSON_TEXTS = [json.dumps(document, indent=1) for document in DOCUMENTS]
YAML_TEXTS = [
    *(yaml.safe_dump(document, sort_keys=False) for document in DOCUMENTS),
    "slug: a\nsteps:\n  - &one {type: single, slug: one}\n  - {<<: *one, slug: two}\n",
    "slug: a\n---\nslug: b\n...\n---\n- slug: c\n",
]

SHRAPNEL = [
    *"[]{}:,\"'&*!|>%@`#?-~<=\t\n\r\\ 0",
    *("- ", ": ", "? ", "---\n", "...\n", "%YAML 1.2\n", "%TAG ! x:\n", "<<: ", "|2-\n", ">+\n"),
    *("&a ", "*a", "&b ", "*b", "<<: *a\n", "<<: [*a, *b]\n", "<<: 1\n", "&a [*a]", "&a {<<: *a}"),
    *("!!python/object:os.system ", "!!python/tuple ", "!!binary ", "!!set ", "!!omap ", "!local "),
    *("!!int ", "!!float ", "!!bool ", "!!null ", "!!str ", "!!seq ", "!!map ", "! ", "!!pairs "),
    *("2026-01-31", "2026-01-31T10:00:00Z", "9999-99-99", "12:30", "1:59:59", "-1:2.5", "="),
    *(".inf", "-.Inf", ".nan", "NaN", "Infinity", "-Infinity", "1e999", "-1e-999", "1e5", "0o17"),
    *(
        "9" * 1001,
        "-" + "9" * 5001,
        "0x" + "f" * 999,
        "0b1_0",
        "017",
        "1_000",
        "0.",
        "+.5",
        "1" * 999,
    ),
    *("true", "yes", "off", "null", "~", "Null", "[]", "{}", '""', "''", "[[]]", "{{}}", "[[]:1]"),
    *("\x00", "\x07", "\x85", "\u2028", "\ufeff", "\ufffe", "\U0001f600", "\ud800", "\udfff"),
    *('"\\ud800"', '"\\u0000"', '"\\x00"', '"\\udead\\ubeef"', '"\\/"', '"\\q"', '"\\U00110000"'),
    *(
        "[" * 101 + "]" * 101,
        "[" * 99 + "]" * 99,
        "[" * 900,
        "{a: " * 101,
        '{"a":' * 101,
        "- " * 120,
    ),
    *(
        '"__class__": "SensorTick", ',
        '"slug": 1, ',
        '"steps": {}, ',
        '"nodes": 7, ',
        "steps: null\n",
    ),
    *('"run"', '"type": "loop", ', '"type": {}, ', '"if": [], ', '"params": 1, ', '"type": [1], '),
]


@st.composite
def torn(draw: st.DrawFn, texts: list[str]) -> str:
    """Draw one of some texts with pieces cut out, put in twice, swapped or put in from outside."""
    text = draw(st.sampled_from(texts))
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(text)))
        end = draw(st.integers(start, min(len(text), start + 40)))
        match draw(st.sampled_from(["put in", "instead", "cut", "twice", "from elsewhere"])):
            case "put in":
                piece = draw(st.sampled_from(SHRAPNEL)) + text[start:end]
            case "instead":
                piece = draw(st.sampled_from(SHRAPNEL) | st.text(max_size=5))
            case "cut":
                piece = ""
            case "twice":
                piece = 2 * text[start:end]
            case _:
                at = draw(st.integers(0, len(text)))
                piece = text[at : at + 40]
        text = text[:start] + piece + text[end:]
    return text


def to_text(value: Any) -> str:
    """Return a value as JSON, however deep it is and however long its numbers are."""
    limits = sys.getrecursionlimit(), sys.get_int_max_str_digits()
    sys.setrecursionlimit(50_000)
    sys.set_int_max_str_digits(0)
    try:
        return json.dumps(value)
    finally:
        sys.setrecursionlimit(limits[0])
        sys.set_int_max_str_digits(limits[1])


@st.composite
def misfilled(draw: st.DrawFn) -> str:
    """Draw a document as JSON, with values of any kind in some of its places."""
    document = json.loads(draw(st.sampled_from(JSON_TEXTS)))
    values: dict[str, str] = {}
    for number in range(draw(st.integers(1, 4))):
        inside: Any = document
        parent: Any = None
        key: Any = None
        while isinstance(inside, dict | list) and inside:
            keys = list(inside) if isinstance(inside, dict) else list(range(len(inside)))
            parent, key = inside, draw(st.sampled_from(keys))
            inside = parent[key]
            if draw(st.integers(0, 3)) == 0:
                break
        if parent is not None:
            parent[key] = f"@{number}@"
            values[f'"@{number}@"'] = to_text(draw(accepted | beyond))
    text = json.dumps(document)
    for place, value in values.items():
        text = text.replace(place, value)
    return text
