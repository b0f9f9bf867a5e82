"""Definitions that hypothesis breaks: sound documents of flows with one or two changes.

Each change knows one way to go wrong; where it finds nothing to break, it leaves the document.
"""

from copy import deepcopy
from typing import Any

from hypothesis import strategies as st

from tests.broken_kinds import CHANGES_OF_KINDS, Change, drawn_step, mapping, shape_of_rules
from tests.broken_values import (
    BAD_EXPRESSIONS,
    BAD_SLUGS,
    INTEGERS,
    NAMES,
    OF_KINDS,
    REFERENCES,
    TOO_DEEP,
    VALUES,
    Document,
)
from tests.drawn_flows import flows


def _later_and_earlier(document: Document, step: Document) -> tuple[list[str], list[str]]:
    slugs = [other["slug"] for other in document.get("steps", [])]
    place = slugs.index(step["slug"]) if step["slug"] in slugs else 0
    return slugs[place + 1 :], slugs[:place]


def slug_of_flow(draw: st.DrawFn, document: Document) -> None:
    document["slug"] = draw(st.sampled_from(BAD_SLUGS))


def slug_of_step(draw: st.DrawFn, document: Document) -> None:
    drawn_step(draw, document)["slug"] = draw(st.sampled_from(BAD_SLUGS))


def step_twice(draw: st.DrawFn, document: Document) -> None:
    again = deepcopy(drawn_step(draw, document, "single"))
    document.setdefault("steps", []).append(again | {"handler": "another"})


def kind_of_step(draw: st.DrawFn, document: Document) -> None:
    kinds = ["single", "map", "subflow", "branch", "join", "loop", "wait", "sleep", "cron", ""]
    drawn_step(draw, document)["type"] = draw(st.sampled_from(kinds))


def field_of_another_kind(draw: st.DrawFn, document: Document) -> None:
    name = draw(st.sampled_from(sorted(OF_KINDS)))
    drawn_step(draw, document).setdefault(name, OF_KINDS[name])


def field_left_out(draw: st.DrawFn, document: Document) -> None:
    names = ["flow", "rules", "back_to", "condition", "max_iterations", "prompt", "signal"]
    kinds = ("subflow", "branch", "loop", "approval", "wait")
    drawn_step(draw, document, *kinds).pop(draw(st.sampled_from(names)), None)


def dependencies(draw: st.DrawFn, document: Document) -> None:
    step = drawn_step(draw, document)
    step["depends_on"] = draw(st.lists(st.sampled_from(NAMES), max_size=3))


def one_more_dependency(draw: st.DrawFn, document: Document) -> None:
    step = drawn_step(draw, document)
    later, earlier = _later_and_earlier(document, step)
    slug = draw(st.sampled_from([*later, *earlier, step["slug"], "nope"]))
    step["depends_on"] = [*step.get("depends_on", []), slug]


def one_dependency_less(draw: st.DrawFn, document: Document) -> None:
    step = drawn_step(draw, document)
    step["depends_on"] = step.get("depends_on", [])[1:]


def option(draw: st.DrawFn, document: Document) -> None:
    owner = draw(st.sampled_from([document, drawn_step(draw, document)]))
    names = ["max_attempts", "base_delay", "timeout", "timeout_ms", "max_delay", "jitter"]
    of_flow = ["max_concurrent_runs", "max_concurrent_runs_per_key", "concurrency_key"]
    names += of_flow if owner is document else ["start_delay"]
    name = draw(st.sampled_from(names))
    texts = {"jitter": ["often"], "concurrency_key": BAD_EXPRESSIONS}
    value = draw(st.sampled_from(texts.get(name, INTEGERS)))
    owner["options"] = owner.get("options", {}) | {name: value}


def webhook(draw: st.DrawFn, document: Document) -> None:
    values: dict[str, list[Any]] = {
        "url": ["https://example.org/", "http://[", "ftp://x", "https://a@b/", "https://x/ y", "x"],
        "secret": ["mine", "", "a-b", "1", "A" * 128, "A" * 129],
        "events": [["run.failed"], []],
    }
    hook = {name: draw(st.sampled_from(given)) for name, given in values.items()}
    document["options"] = document.get("options", {}) | {"on_event": hook}


def choice(draw: st.DrawFn, document: Document) -> None:
    name = draw(st.sampled_from(["when_unmet", "when_exhausted", "mode", "wait", "on_deadline"]))
    of_one = {"mode": ("subflow",), "wait": ("join",), "on_deadline": ("approval", "wait")}
    kinds = of_one.get(name, ())
    value = draw(st.sampled_from(["fail", "skip", "skip-cascade", "run", "any", "some", ""]))
    drawn_step(draw, document, *kinds)[name] = value


def hooks(draw: st.DrawFn, document: Document) -> None:
    step = drawn_step(draw, document, "single", "map", "branch", "loop")
    names = st.lists(st.sampled_from(["", "audit", "pgflow.http", "pgflow"]), max_size=2)
    step.update(
        draw(
            st.fixed_dictionaries(
                {},
                optional={
                    "before": names,
                    "after": names,
                    "requires": st.lists(st.sampled_from(["", "db"]), max_size=2),
                    "check_schemas": st.sampled_from(["off", "strict", "always"]),
                    "handler": st.just("shop.price"),
                },
            )
        )
    )


def assets(draw: st.DrawFn, document: Document) -> None:
    step = drawn_step(draw, document, "single", "map", "branch", "loop")
    keys = st.sampled_from([
        "raw/orders", "", "/", "a//b", "a/", "${$input.a/b}/c", "${x}", "$input", "$$a", "$x",
        "${$item.n}", "é" * 500, "x" * 501, "$nodes.nobody", "\x7f", "a\tb", "a/${secret:key}",
    ])  # fmt: skip
    partitions = st.sampled_from(["", "${$item}", "$item", "a...b", "a/b", "\n", "$input.day"])
    optional = {
        "produces": st.lists(keys, max_size=2) | st.just(["k"] * 101),
        "consumes": st.lists(keys, max_size=2),
        "partition": partitions,
    }
    step.update(draw(st.fixed_dictionaries({}, optional=optional)))


def pool(draw: st.DrawFn, document: Document) -> None:
    drawn_step(draw, document)["pool"] = draw(st.sampled_from([*BAD_SLUGS, "mail"]))


def guard(draw: st.DrawFn, document: Document) -> None:
    name, field = draw(st.sampled_from([
        ("circuit_breaker", "failure_rate"), ("circuit_breaker", "window"),
        ("circuit_breaker", "half_open_calls"), ("bulkhead", "max_concurrent"),
        ("bulkhead", "max_wait_seconds"), ("rate_limiter", "per_ms"), ("rate_limiter", "key"),
    ]))  # fmt: skip
    texts = ["", "k", "é" * 200, "x" * 201]
    value = draw(st.sampled_from(texts if field == "key" else [*INTEGERS, 60, 61, 100, 101]))
    drawn_step(draw, document, "single", "map", "branch", "loop")[name] = {field: value}


def shape_of_guard(draw: st.DrawFn, document: Document) -> None:
    name = draw(st.sampled_from(["circuit_breaker", "bulkhead", "rate_limiter"]))
    fields = [{"key": 5}, {"window": "5"}, {"window": 1.5}, {"calls": True}, {"nope": 1}]
    value = draw(st.sampled_from([False, True, 5, "x", [], {}, *fields]))
    drawn_step(draw, document)[name] = value


def handler(draw: st.DrawFn, document: Document) -> None:
    drawn_step(draw, document)["handler"] = draw(
        st.sampled_from(["", "pgflow.nope", "pgflow.http"])
    )


def expression(draw: st.DrawFn, document: Document) -> None:
    name = draw(st.sampled_from(["run_if", "run_unless"]))
    drawn_step(draw, document)[name] = draw(st.sampled_from(BAD_EXPRESSIONS))


def pattern(draw: st.DrawFn, document: Document) -> None:
    name = draw(st.sampled_from(["if", "if_not"]))
    drawn_step(draw, document)[name] = draw(st.sampled_from([[], "x", 1, {}]))


def params(draw: st.DrawFn, document: Document) -> None:
    step = drawn_step(draw, document, "single", "map", "branch", "loop")
    step["params"] = draw(
        st.dictionaries(st.sampled_from("xy"), st.sampled_from(REFERENCES), max_size=2)
        | st.sampled_from([[], "x", {"dagster-pgflow/names": {"x": "$nodes.nope"}}])
    )


def params_of_node_type(draw: st.DrawFn, document: Document) -> None:
    step = drawn_step(draw, document, "single", "map")
    step["handler"] = draw(
        st.sampled_from(["pgflow.transform", "pgflow.filter", "pgflow.aggregate", "pgflow.http"])
    )
    names = ["expression", "condition", "items", "url", "measures", "group_by", "on_error"]
    names += ["allow_hosts", "x"]
    values = st.sampled_from([*REFERENCES, "input.x", ["$nodes.nope"]])
    step["params"] = draw(st.dictionaries(st.sampled_from(names), values, max_size=2))


def schema(draw: st.DrawFn, document: Document) -> None:
    owner = draw(st.sampled_from([document, drawn_step(draw, document)]))
    name = draw(st.sampled_from(["input_schema", "output_schema"]))
    owner[name] = draw(
        st.sampled_from(
            [
                [],
                "object",
                {"type": 7},
                {"properties": {"n": {"type": "integer", "default": "x"}}},
                {"type": "object", "properties": {}, "additionalProperties": False},
            ]
        )
    )


def too_deep(draw: st.DrawFn, document: Document) -> None:
    step = drawn_step(draw, document)
    name = draw(st.sampled_from(["params", "if", "if_not", "input", "output_schema"]))
    step[name] = {"x": TOO_DEEP}


def tags(draw: st.DrawFn, document: Document) -> None:
    document["tags"] = draw(
        st.sampled_from(
            [
                {str(number): "" for number in range(51)},
                {"x" * 128: ""},
                {"x": "y" * 501},
                {"dagster-pgflow/flow": "x"},
                {"dagster/priority": "1"},
                {"x": 1},
                ["x"],
                {"x" * 127: "y" * 500},
            ]
        )
    )


def schedule(draw: st.DrawFn, document: Document) -> None:
    crons = ["0 2 * * *", "every day", "0 2 31 2 *", "0 2 30 feb ?", "x x x x x", "* * * *", ""]
    document["schedules"] = [
        {
            "slug": slug,
            "cron": draw(st.sampled_from(crons)),
            "timezone": draw(st.sampled_from(["UTC", "Mars/Base", ""])),
            "input": draw(st.sampled_from([{}, {"x": TOO_DEEP}])),
        }
        for slug in draw(st.sampled_from([["s"], ["s", "s"], ["run"]]))
    ]


CHANGES: tuple[Change, ...] = (
    slug_of_flow,
    slug_of_step,
    step_twice,
    kind_of_step,
    field_of_another_kind,
    field_left_out,
    dependencies,
    one_more_dependency,
    one_dependency_less,
    option,
    webhook,
    choice,
    hooks,
    assets,
    pool,
    guard,
    shape_of_guard,
    handler,
    expression,
    pattern,
    params,
    params_of_node_type,
    schema,
    too_deep,
    tags,
    schedule,
    *CHANGES_OF_KINDS,
)

OF_SHAPE = frozenset(
    {
        shape_of_guard,
        kind_of_step,
        field_of_another_kind,
        field_left_out,
        choice,
        pattern,
        shape_of_rules,
        mapping,
        params,
        schema,
        tags,
    }
)
"""What may leave a document that is none of a flow: of that, the rules do not read all."""


@st.composite
def documents(draw: st.DrawFn) -> Document:
    """Draws the document of a flow that is sound, or was before a change or two.

    What changes the shape is the only change: behind it, not all else is found.
    """
    document = _sound_document(draw)
    changes = draw(st.lists(st.sampled_from(CHANGES), max_size=2))
    for change in [one for one in changes if one in OF_SHAPE][:1] or changes:
        change(draw, document)
    return document


@st.composite
def documents_with(draw: st.DrawFn, change: Change) -> Document:
    """Draws the document of a flow that was sound before this change."""
    document = _sound_document(draw)
    change(draw, document)
    return document


def _sound_document(draw: st.DrawFn) -> Document:
    return deepcopy(draw(flows(st.sampled_from(["", "x"]), VALUES)).to_json())
