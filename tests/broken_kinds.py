"""What breaks steps of one kind: their bounds, routes, rules, references and failure steps."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

from hypothesis import strategies as st

from tests.broken_values import (
    BAD_EXPRESSIONS,
    CONDITIONS,
    FRESH,
    INTEGERS,
    NAMES,
    REFERENCES,
    Document,
)

Change = Callable[[st.DrawFn, Document], None]


def drawn_step(draw: st.DrawFn, document: Document, *kinds: str) -> Document:
    """Draw a step, of one of some kinds; where there is none, a new one."""
    given: list[Document] = document.setdefault("steps", [])
    steps = [step for step in given if not kinds or _kind(step) in kinds]
    if steps:
        return draw(st.sampled_from(steps))
    kind = draw(st.sampled_from(kinds or ("single",)))
    first, *others = deepcopy(FRESH[kind])
    first["type"] = kind
    if not {step["slug"] for step in (first, *others)} & {step["slug"] for step in given}:
        given += [first, *others]
    return first


def _kind(step: Document) -> str:
    return str(step.get("type", "single"))


def bounds_of_map(draw: st.DrawFn, document: Document) -> None:
    name = draw(st.sampled_from(["batch_size", "max_failures", "max_failures_percent"]))
    drawn_step(draw, document, "map")[name] = draw(st.sampled_from([*INTEGERS, 100, 101]))


def pipelined(draw: st.DrawFn, document: Document) -> None:
    step = drawn_step(draw, document, "map")
    step["pipelined"] = True
    for name in draw(st.lists(st.sampled_from([*CONDITIONS, "batch_size"]), max_size=1)):
        step[name] = {"if": {}, "if_not": {}, "batch_size": 2}.get(name, "true")


def source_of_pipeline(draw: st.DrawFn, document: Document) -> None:
    source = drawn_step(draw, document, "map")
    source["when_exhausted"] = draw(st.sampled_from(["skip", "skip-cascade", "fail"]))
    source["collect_errors"] = draw(st.booleans())
    if draw(st.booleans()):
        source["max_failures"] = 1
    behind = {"type": "map", "slug": "behind", "depends_on": [source["slug"]], "pipelined": True}
    document.setdefault("steps", []).append(behind)


def rules(draw: st.DrawFn, document: Document) -> None:
    step = drawn_step(draw, document, "branch")
    whens = st.sampled_from(["true", "output.n > 1", *BAD_EXPRESSIONS])
    thens = st.lists(st.sampled_from(NAMES), max_size=2)
    labels = st.sampled_from([None, "", "a", "x" * 200, "x" * 201])
    schemas = st.sampled_from([None, {}, {"type": "object"}, {"type": 5}])
    rule = st.fixed_dictionaries(
        {"when": whens, "then": thens}, optional={"label": labels, "output_schema": schemas}
    )
    step["rules"] = draw(st.lists(rule, max_size=3))


def shape_of_rules(draw: st.DrawFn, document: Document) -> None:
    wrong = [{"when": "true"}, {"then": ["step_f"]}, {"when": 1, "then": ["step_f"]}, "true"]
    wrong += [{"when": "true", "then": "step_f"}, {"when": "true", "then": [1]}]
    wrong += [{"when": "true", "then": ["step_f"], "else": []}]
    wrong += [{"when": "true", "then": ["step_f"], "label": 1}]
    wrong += [{"when": "true", "then": ["step_f"], "output_schema": "object"}]
    drawn_step(draw, document, "branch")["rules"] = draw(
        st.sampled_from([{}, "true", *([one] for one in wrong)])
    )


def route(draw: st.DrawFn, document: Document) -> None:
    name = draw(st.sampled_from(["default_path", "break_path", "timeout_path"]))
    kind = "branch" if name == "default_path" else "loop"
    step = drawn_step(draw, document, kind)
    step[name] = draw(st.lists(st.sampled_from([*NAMES, step["slug"]]), max_size=2))


def join(draw: st.DrawFn, document: Document) -> None:
    drawn_step(draw, document, "join")["wait"] = draw(
        st.sampled_from(["all", "any", "some", 0, -1, 1, 2, 3, 4, 2**31])
    )


def loop(draw: st.DrawFn, document: Document) -> None:
    step = drawn_step(draw, document, "loop", "single")
    step |= {"type": "loop", "condition": "output.more", "max_iterations": 2, "back_to": "step_a"}
    step.update(
        draw(
            st.fixed_dictionaries(
                {},
                optional={
                    "back_to": st.sampled_from([*NAMES, step["slug"]]),
                    "max_iterations": st.sampled_from(INTEGERS),
                    "condition": st.sampled_from(BAD_EXPRESSIONS),
                    "when_exhausted": st.just("skip"),
                    "run_if": st.just("true"),
                    "if": st.just({}),
                },
            )
        )
    )


def waiting(draw: st.DrawFn, document: Document) -> None:
    kind = draw(st.sampled_from(["approval", "wait", "sleep"]))
    step = drawn_step(draw, document, kind)
    texts = st.sampled_from(["", "x", "x" * 200, "x" * 201])
    asked: dict[str, st.SearchStrategy[Any]] = {
        "prompt": st.sampled_from(["", "x" * 10_000, "x" * 10_001, *REFERENCES]),
        "answerers": st.lists(texts, max_size=2) | st.just(["x"] * 101),
    }
    signalled: dict[str, st.SearchStrategy[Any]] = {"signal": texts}
    slept: dict[str, st.SearchStrategy[Any]] = {
        "seconds": st.sampled_from(INTEGERS),
        "until": st.sampled_from(["input.due", *BAD_EXPRESSIONS]),
    }
    both: dict[str, st.SearchStrategy[Any]] = {
        "deadline": st.sampled_from(INTEGERS),
        "on_deadline": st.sampled_from(["fail", "skip", "continue"]),
        "default_answer": st.sampled_from([None, 0, {"a": None}]),
        "on_timeout": st.sampled_from(NAMES),
        "key": st.sampled_from(["input.key", *BAD_EXPRESSIONS]),
        "answer_schema": st.sampled_from([{}, {"type": 5}, [], {"type": "object"}]),
        "reminders": st.lists(st.sampled_from(INTEGERS), max_size=2) | st.just([1] * 101),
    }
    own = {"approval": asked | both, "wait": signalled | both, "sleep": slept}[kind]
    for name in draw(st.lists(st.sampled_from(sorted(own)), min_size=1, max_size=3)):
        step[name] = draw(own[name])


def subflow(draw: st.DrawFn, document: Document) -> None:
    named = st.sampled_from(["child", "nope", "f", "run", ""])
    drawn_step(draw, document, "subflow")["flow"] = draw(named)


def mapping(draw: st.DrawFn, document: Document) -> None:
    name = draw(st.sampled_from(["input", "output"]))
    references = st.sampled_from(REFERENCES)
    objects = st.dictionaries(st.sampled_from("xy"), references, max_size=2)
    wrong = st.sampled_from([[], 1, "x"])
    drawn_step(draw, document, "subflow")[name] = draw(objects | references | wrong)


def list_of_items(draw: st.DrawFn, document: Document) -> None:
    drawn_step(draw, document, "subflow")["over"] = draw(st.sampled_from([*NAMES, *REFERENCES, ""]))


def data_map(draw: st.DrawFn, document: Document) -> None:
    step = drawn_step(draw, document)
    for name in draw(st.sampled_from([["merge_input"], ["keep_input"]])):
        step[name] = draw(st.sampled_from([True, False, "yes", 1, None, {}]))
    if draw(st.booleans()):
        document["merge_output"] = draw(st.booleans())


def failure_step(draw: st.DrawFn, document: Document) -> None:
    kinds = ["subflow", "single", "map", "branch", "join", "loop", "approval", "sleep"]
    step = drawn_step(draw, document, draw(st.sampled_from(kinds)))
    field = draw(st.sampled_from(["on_failure", "on_failure", "on_timeout"]))
    step[field] = draw(st.sampled_from([*NAMES, step["slug"]]))


def members(draw: st.DrawFn, document: Document) -> None:
    given = document.setdefault("steps", [])
    given += [{"slug": "m1", "type": "map"}, {"slug": "m2", **draw(OF_MEMBERS)}]
    for slug in draw(st.sampled_from([["j1"], ["j1", "j2"]])):
        join = {"slug": slug, "type": "join", "depends_on": ["m1", "m2"]}
        given.append(join | draw(OF_JOINS))
    if draw(st.booleans()):
        given.append({"slug": "m3", "type": "map", "depends_on": ["m1"], "pipelined": True})
    given.append({"slug": "undo", "type": "single", "depends_on": ["m2", "j1"]})
    document["steps"] = draw(st.permutations(given)) if draw(st.booleans()) else given


OF_MEMBERS = st.fixed_dictionaries(
    {"type": st.just("single")}, optional={"on_timeout": st.just("undo")}
)
OF_JOINS = st.fixed_dictionaries(
    {},
    optional={
        "on_failure": st.just("undo"),
        "members": st.sampled_from([["m1"], ["m2"], ["m1", "m2"], ["x"], []]),
    },
)


def two_of_one_failure_step(draw: st.DrawFn, document: Document) -> None:
    given = document.setdefault("steps", [])
    for slug in draw(st.sampled_from([["s1"], ["s1", "s2"]])):
        given.append({"type": "subflow", "slug": slug, "flow": "child", "on_failure": "undo"})
    kind: Any = draw(st.sampled_from([{}, {"type": "map"}, {"type": "join"}]))
    deps = draw(st.sampled_from([["s1"], ["s1", "s2"], []]))
    given.append({"slug": "undo", "type": "single", "depends_on": deps} | kind)


CHANGES_OF_KINDS: tuple[Change, ...] = (
    bounds_of_map,
    pipelined,
    source_of_pipeline,
    rules,
    shape_of_rules,
    route,
    join,
    loop,
    waiting,
    subflow,
    mapping,
    list_of_items,
    data_map,
    failure_step,
    members,
    two_of_one_failure_step,
)
