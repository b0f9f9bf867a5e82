"""Workflow documents that hypothesis draws: sound ones, and ways to break them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

WORDS = st.text(st.sampled_from("abc é-1"), max_size=6)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-99, 99) | st.just(0.5) | WORDS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(WORDS, inner, max_size=2),
    max_leaves=4,
)
AWKWARD_KEYS = st.sampled_from(
    ["handler", "function", "params", "rules", "condition", "wait", "loop_back_to", "default", "x"]
)
CONDITIONS = st.sampled_from(
    ["output.x > 1", "$.x == 1", "output.y", "true", 'has(ctx.params.a) || "é" == ""']
)
RETRIES = st.fixed_dictionaries(
    {},
    optional={
        "max_attempts": st.integers(1, 10),
        "backoff_ms": st.sampled_from([0, 1, 999, 1000, 2000, 7000, 120_000]),
        "backoff_multiplier": st.sampled_from([2, 2.0]),
    },
)
OWN_TYPES: dict[str, dict[str, Any]] = {
    "http": {"url": "https://example.org/${$input.id}"},
    "transform": {"expression": "flow_input"},
    "aggregate": {"items": "$input.rows", "measures": {"n": {"op": "count"}}},
    "filter": {"items": "$input.rows", "condition": "item.x > 1"},
}


@dataclass
class Drawing:
    """A document on its way."""

    draw: st.DrawFn
    nodes: list[dict[str, Any]] = field(default_factory=list)
    edges: list[dict[str, Any]] = field(default_factory=list)

    def node(self, kind: str, **fields: Any) -> str:
        id = f"n{len(self.nodes)}"
        extra = self.draw(
            st.fixed_dictionaries(
                {},
                optional={
                    "description": WORDS,
                    "timeout_ms": st.sampled_from([0, 1, 1500, 60_000, 100_000]),
                    "retry": RETRIES,
                },
            )
        )
        self.nodes.append({"id": id, "type": kind, **extra, **fields})
        return id

    def edge(self, before: str, behind: str, condition: Any = None) -> None:
        said = {} if condition is None else {"condition": condition}
        self.edges.append({"from": before, "to": behind, **said})

    def work(self) -> str:
        """A node that does something."""
        kind = self.draw(st.sampled_from(["function", "function", "task", "agent", *OWN_TYPES]))
        if kind in OWN_TYPES:
            return self.node(kind, config=OWN_TYPES[kind])
        return self.node(kind, config=self.config())

    def config(self) -> dict[str, Any]:
        config: dict[str, Any] = {}
        if self.draw(st.booleans()):
            key = self.draw(st.sampled_from(["handler", "function", "function_name"]))
            config[key] = self.draw(st.sampled_from(["shop.price", "agent", "n0"]))
        if self.draw(st.booleans()):
            config["params"] = self.draw(st.dictionaries(AWKWARD_KEYS | WORDS, JSON, max_size=3))
        return config

    def part(self, depth: int) -> tuple[str, str]:
        """Something with one node where it begins and one where it ends."""
        kinds = ["work", "chain", "arms", "branch", "loop"] if depth else ["work"]
        match self.draw(st.sampled_from(kinds)):
            case "chain":
                first, last = self.part(depth - 1)
                begin, end = self.part(depth - 1)
                self.edge(last, begin)
                return first, end
            case "arms":
                return self.arms(depth - 1)
            case "branch":
                return self.branch(depth - 1)
            case "loop":
                return self.loop(depth - 1)
            case _:
                node = self.work()
                return node, node

    def arms(self, depth: int) -> tuple[str, str]:
        begin = self.node("parallel") if self.draw(st.booleans()) else self.work()
        arms = [self.part(depth) for _ in range(self.draw(st.integers(2, 3)))]
        end = self.meeting(len(arms))
        for first, last in arms:
            self.edge(begin, first)
            self.edge(last, end)
        return begin, end

    def meeting(self, routes: int) -> str:
        wait = st.sampled_from([{}, {"wait": "any"}, {"wait": routes}, {"wait_for_all": True}])
        kind = self.draw(st.sampled_from(["join", "function", "parallel"]))
        if kind == "function":
            return self.node(kind, config=self.config())
        config = self.draw(wait) if kind == "join" else {"wait": "all"}
        return self.node(kind, config=config)

    def branch(self, depth: int) -> tuple[str, str]:
        arms = [self.part(depth) for _ in range(self.draw(st.integers(1, 3)))]
        firsts = [first for first, _ in arms]
        rest = firsts.pop() if len(firsts) > 1 and self.draw(st.booleans()) else None
        conditions = [self.draw(CONDITIONS) for _ in firsts]
        how = self.draw(st.sampled_from(["edges", "config", "field"]))
        kind = self.draw(st.sampled_from(["conditional", "function"]))
        if how == "edges":
            begin = self.node(kind, config=self.config())
            for first, condition in zip(firsts, conditions, strict=True):
                self.edge(begin, first, self.draw(forms_of(condition)))
            if rest is not None:
                self.edge(begin, rest, self.draw(st.sampled_from([None, "", "default"])))
        else:
            rules = [
                {"condition": self.draw(forms_of(condition)), "next_nodes": [first]}
                for condition, first in zip(conditions, firsts, strict=True)
            ]
            said = {"rules": rules, "default": [] if rest is None else [rest]}
            begin = self.saying(how, kind, said)
        end = self.work()
        for _, last in arms:
            self.edge(last, end)
        if how != "edges" and self.draw(st.booleans()):
            self.edge(begin, end)
        return begin, end

    def saying(self, how: str, kind: str, said: dict[str, Any]) -> str:
        if how == "field":
            return self.node(kind, config=self.config(), branch=said)
        return self.node("conditional", config=self.config() | said)

    def loop(self, depth: int) -> tuple[str, str]:
        begin, last = self.part(depth)
        said: dict[str, Any] = {
            "max_iterations": self.draw(st.integers(1, 5) | st.just(3.0)),
            "loop_back_to": begin,
        }
        if self.draw(st.booleans()):
            said["condition"] = self.draw(CONDITIONS.flatmap(forms_of))
        exits = [self.work(), self.work()]
        end = self.work()
        for way_out, path in zip(exits, ("break_path", "timeout_path"), strict=True):
            if self.draw(st.booleans()):
                said[path] = [way_out]
            self.edge(way_out, end)
        config = self.config()
        again = (
            self.node("loop", config=config | said)
            if self.draw(st.booleans())
            else self.node("function", config=config, loop=said)
        )
        self.edge(last, again)
        if self.draw(st.booleans()):
            self.edge(again, begin)
        for way_out in exits:
            self.edge(again, way_out)
        return begin, end


def forms_of(condition: str) -> st.SearchStrategy[Any]:
    """A condition as text and as an object."""
    return st.sampled_from(
        [
            condition,
            {"expression": condition},
            {"type": "cel", "expression": condition, "invert": True},
        ]
    )


@st.composite
def workflows(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a sound document."""
    drawing = Drawing(draw)
    for _ in range(draw(st.integers(1, 2))):
        drawing.part(draw(st.integers(0, 3)))
    metadata = st.fixed_dictionaries(
        {"name": st.sampled_from(["flow", "A Flow!", "9 lives", "run"])},
        optional={
            "description": WORDS,
            "version": st.sampled_from(["1.0.0", 2, 1.5, ""]),
            "tags": st.lists(st.sampled_from(["a", "team=b", "c=", "=d", "é f"]), unique=True),
        },
    )
    return {
        "metadata": draw(metadata),
        "nodes": draw(st.permutations(drawing.nodes)),
        "edges": draw(st.permutations(drawing.edges)),
    }


Breakage = Callable[[dict[str, Any], int], str]
"""Breaks a document at its node of this index, or behind it; returns where."""


def _field(name: str, value: Any, inside: str = "") -> Breakage:
    def broken(document: dict[str, Any], index: int) -> str:
        document["nodes"][index][name] = value
        return f"nodes[{index}].{name}{inside}"

    return broken


def _metadata(fields: dict[str, Any], inside: str) -> Breakage:
    def broken(document: dict[str, Any], index: int) -> str:
        document["metadata"] |= fields
        return f"metadata.{inside}"

    return broken


def _node(fields: dict[str, Any], inside: str) -> Breakage:
    def broken(document: dict[str, Any], index: int) -> str:
        place = len(document["nodes"])
        document["nodes"].append({"id": f"broken_{place}", **fields})
        return f"nodes[{place}]{inside}"

    return broken


def _edge(fields: dict[str, Any], inside: str) -> Breakage:
    def broken(document: dict[str, Any], index: int) -> str:
        id, place = document["nodes"][index]["id"], len(document["edges"])
        written = {key: id if value == "this" else value for key, value in fields.items()}
        document["edges"].append(written)
        return f"edges[{place}]{inside}"

    return broken


def _twin(document: dict[str, Any], index: int) -> str:
    id, place = document["nodes"][index]["id"], len(document["nodes"])
    document["nodes"].append({"id": id, "type": "function"})
    return f"nodes[{place}].id"


def _bad_rule(document: dict[str, Any], index: int) -> str:
    place = len(document["nodes"])
    ids = [f"broken_{place}", f"behind_{place}"]
    rule = {"condition": "output.x >", "next_nodes": [ids[1]]}
    document["nodes"] += [
        {"id": ids[0], "type": "function", "branch": {"rules": [rule]}},
        {"id": ids[1], "type": "function"},
    ]
    return f"nodes[{place}].branch.rules[0].condition"


LOOP = {"max_iterations": 2, "loop_back_to": "nowhere", "condition": "true"}
BREAKAGES: tuple[Breakage, ...] = (
    _field("type", "functoin"),
    _field("timeout_ms", -1),
    _field("timeout", 5),
    _field("retry", {"max_attempts": -1}, ".max_attempts"),
    _field("wait_for_all", False),
    _node({"type": "loop", "config": LOOP}, ".config.loop_back_to"),
    _node({"type": "loop", "config": {"loop_back_to": "n0"}}, ".config.max_iterations"),
    _node({"type": "loop", "config": {**LOOP, "break_path": ["lost"]}}, ".config.break_path[0]"),
    _node({"type": "conditional"}, ".config"),
    _node({"type": "parallel"}, ""),
    _node({"type": "function", "id": "7 up"}, ".id"),
    _node({"type": "function", "config": {"handler": 7}}, ".config.handler"),
    _node({"type": "join", "config": {"wait": "some"}}, ".config.wait"),
    _node({"type": "agent", "config": {"x": ["$nodes.nowhere.y"]}}, ".config.x[0]"),
    _node({"type": "http", "config": {}}, ".config.url"),
    _node({"type": "filter", "config": {"condition": "item >"}}, ".config.condition"),
    _edge({"from": "this", "to": "nowhere"}, ".to"),
    _edge({"from": "nowhere", "to": "this"}, ".from"),
    _edge({"from": "this"}, ".to"),
    _edge({"from": "this", "to": "this"}, ""),
    _field("on_failure", "nowhere"),
    _field("when_unmet", "stop"),
    _field("pool", ""),
    _node({"type": "map", "config": {"max_failures": -1}}, ".config.max_failures"),
    _node({"type": "subflow", "config": {}}, ".config.flow"),
    _metadata({"schedules": [{"slug": "x", "cron": "daily"}]}, "schedules[0].cron"),
    _metadata({"retry": {"jitter": "some"}}, "retry.jitter"),
    _metadata({"inputSchema": {}}, "inputSchema"),
    _twin,
    _bad_rule,
)
