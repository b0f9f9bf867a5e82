"""Where the run goes on behind a node: the branch or the loop that it is, from edges and config."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from dagster_pgflow.dsl.workflow.config_shape import Branch, BranchRule, ConditionalConfig, Loop
from dagster_pgflow.dsl.workflow.parts import (
    PlacedEdge,
    PlacedNode,
    Problems,
    path_of,
    read,
    shown,
    unknown_node,
)
from dagster_pgflow.dsl.workflow.work import OWN_CONFIG
from dagster_pgflow.model.steps.fields import JsonSchema

DEFAULT: Final = "default"
ALWAYS: Final = "true"
YES: Final = ("true", "if")
NO: Final = ("false", "else", DEFAULT)
"""What the edges of a node say whose config has the condition."""

Nodes = Mapping[str, PlacedNode]


@dataclass(frozen=True)
class WrittenRule:
    """A rule and where it stands.

    Attributes:
        when: The condition.
        then: The nodes that it leads to.
        when_place: Where the condition stands.
        then_place: Where it says what it leads to.
        place: Where all of it stands.
        label: What its route is called.
        output_schema: What the node returns when it takes it.
    """

    when: str
    then: tuple[str, ...]
    when_place: str
    then_place: str
    place: str
    label: str | None = None
    output_schema: JsonSchema | None = None


@dataclass(frozen=True)
class WrittenBranch:
    """What decides where the run goes on.

    Attributes:
        rules: The rules, at least one.
        default: The nodes that it goes on with when none holds.
        place: Where all of it stands.
        default_place: Where the default stands.
    """

    rules: tuple[WrittenRule, ...]
    default: tuple[str, ...]
    place: str
    default_place: str

    @property
    def targets(self) -> dict[str, str]:
        """The nodes that it names, and where."""
        found = dict.fromkeys(self.default, self.default_place)
        for rule in reversed(self.rules):
            found |= dict.fromkeys(rule.then, rule.then_place)
        return found


@dataclass(frozen=True)
class WrittenLoop:
    """What is repeated.

    Attributes:
        back_to: The first node of it; `None` when it could not be read.
        condition: While it holds, it is done again.
        max_iterations: How often at most.
        break_path: The nodes behind it once the condition does not hold.
        timeout_path: Those when it still holds after the last time.
        place: Where all of it stands.
    """

    back_to: str | None
    condition: str
    max_iterations: int
    break_path: tuple[str, ...]
    timeout_path: tuple[str, ...]
    place: str

    @property
    def targets(self) -> dict[str, str]:
        """The nodes that it names, and where."""
        late = dict.fromkeys(self.timeout_path, f"{self.place}.timeout_path")
        return late | dict.fromkeys(self.break_path, f"{self.place}.break_path")


Routes = WrittenBranch | WrittenLoop | None


def routes_of(
    node: PlacedNode, edges: Sequence[PlacedEdge], nodes: Nodes, problems: Problems
) -> Routes:
    """Return the branch or the loop that a node is, if it is one.

    Args:
        edges: The edges that leave it.
        problems: Where to note what is wrong.
    """
    failing = node.shape.failure_nodes().values()
    # An edge to the node that a failure leads to is none that the node decides about.
    edges = [edge for edge in edges if edge.shape.to not in failing or _condition(edge) is not None]
    _judge_labels(edges, problems)
    loop = _loop(node, nodes, problems)
    if loop is None:
        return _branch(node, edges, nodes, problems)
    if node.branch is not None:
        message = (
            "A node is a loop or a branch, not both; add a node of type conditional behind it."
        )
        problems.note("loop-and-branch", f"{node.place}.branch", message)
    for edge in edges:
        if _condition(edge) is not None:
            problems.note(
                "condition-behind-loop",
                f"{edge.place}.condition",
                f'Behind the loop "{node.id}" its break_path and timeout_path decide; put a node of'
                " type conditional behind it, or remove the condition.",
            )
    return loop


def _loop(node: PlacedNode, nodes: Nodes, problems: Problems) -> WrittenLoop | None:
    inside: str
    if node.loop is not None:
        inside, given = "loop", node.loop
    elif node.shape.type == "loop":
        own = OWN_CONFIG["loop"]
        inside = "config"
        given = {key: part for key, part in node.config.items() if key in own}
    else:
        return None
    stand_ins = {"max_iterations": 1, "loop_back_to": ""}
    loop = read(Loop, given, ("nodes", node.index, inside), problems, stand_ins)
    if loop is None:
        return None
    place = f"{node.place}.{inside}"
    if not loop.enabled:
        if node.shape.type == "loop":
            message = "A node of type loop is one; remove this, or give the node another type."
            problems.note("disabled-loop", f"{place}.enabled", message)
        return None
    back_to: str | None = loop.loop_back_to
    if back_to not in nodes:
        if back_to or (isinstance(given, dict) and given.get("loop_back_to") == ""):
            unknown_node(loop.loop_back_to, f"{place}.loop_back_to", nodes, problems)
        back_to = None
    return WrittenLoop(
        back_to,
        ALWAYS if loop.condition is None else loop.condition.text,
        loop.max_iterations,
        _known(loop.break_path or (), f"{place}.break_path", nodes, problems),
        _known(loop.timeout_path or (), f"{place}.timeout_path", nodes, problems),
        place,
    )


def _branch(
    node: PlacedNode, edges: Sequence[PlacedEdge], nodes: Nodes, problems: Problems
) -> WrittenBranch | None:
    said = _said(node, nodes, problems)
    is_decided = said is not None or any(_condition(edge) is not None for edge in edges)
    if not is_decided:
        return _parallel(node, edges) if node.shape.type == "parallel" else None
    said = said or _OwnRules(node.place)
    of_edges, default = _of_edges(said, edges)
    rules = _merged([*said.rules, *of_edges])
    if not rules and not said.is_broken:
        problems.note(
            "branch-without-rules",
            said.place,
            f'Node "{node.id}" decides where to go on, but has no rule; give at least one of its'
            " edges a condition.",
        )
    if not rules:
        return None
    first = next((edge.place for edge in edges if edge.shape.to in default), said.place)
    default_place = f"{said.place}.default" if said.default is not None else first
    return WrittenBranch(rules, default, said.place, default_place)


@dataclass(frozen=True)
class _OwnRules:
    """What a node itself says about its routes.

    Attributes:
        place: Where.
        rules: Its rules.
        default: Its default; `None` when the edges say it.
        condition: The condition that its edges answer with yes or no.
        is_broken: Whether some of it could not be read.
    """

    place: str
    rules: tuple[WrittenRule, ...] = ()
    default: tuple[str, ...] | None = None
    condition: str | None = None
    is_broken: bool = False


def _said(node: PlacedNode, nodes: Nodes, problems: Problems) -> _OwnRules | None:
    model: type[Branch | ConditionalConfig]
    if node.branch is not None:
        model, inside, given = Branch, "branch", node.branch
    elif node.shape.type == "conditional":
        own = OWN_CONFIG["conditional"]
        given = {key: part for key, part in node.config.items() if key in own}
        model, inside = ConditionalConfig, "config"
    else:
        return None
    before = len(problems.found)
    place = ("nodes", node.index, inside)
    plain = {k: part for k, part in given.items() if k != "rules"} if _is_object(given) else given
    shape = read(model, plain, place, problems)
    if isinstance(shape, Branch) and not shape.enabled:
        return None
    rules = _rules(given.get("rules") if _is_object(given) else None, place, nodes, problems)
    default = None if shape is None else shape.default
    path = path_of(place)
    condition = shape.condition if isinstance(shape, ConditionalConfig) else None
    return _OwnRules(
        path,
        rules,
        None if default is None else _known(default, f"{path}.default", nodes, problems),
        None if condition is None else condition.text,
        len(problems.found) > before,
    )


def _rules(
    given: Any, place: tuple[str | int, ...], nodes: Nodes, problems: Problems
) -> tuple[WrittenRule, ...]:
    path = f"{path_of(place)}.rules"
    if not isinstance(given, list | tuple | None):
        problems.note("wrong-value", path, f"Input should be a list; got {shown(given)}.")
        return ()
    rules: list[WrittenRule] = []
    for index, raw in enumerate(given or ()):
        inside = f"{path}[{index}]"
        rule = read(BranchRule, raw, (*place, "rules", index), problems, {"next_nodes": []})
        if rule is not None:
            then = _known(rule.next_nodes, f"{inside}.next_nodes", nodes, problems)
            places = f"{inside}.condition", f"{inside}.next_nodes", inside
            about = rule.label, rule.output_schema
            rules.append(WrittenRule(rule.condition.text, then, *places, *about))
    return tuple(rules)


def _of_edges(
    said: _OwnRules, edges: Sequence[PlacedEdge]
) -> tuple[list[WrittenRule], tuple[str, ...]]:
    """Return the rules that edges make, and the default path."""
    named = {slug for rule in said.rules for slug in rule.then}
    rules: list[WrittenRule] = []
    default = list(said.default or ())
    for edge in edges:
        when, to = _condition(edge), edge.shape.to
        if said.condition is not None and when in (*YES, *NO):
            when = said.condition if when in YES else DEFAULT
        if when == DEFAULT:
            default.append(to)
        elif when is not None:
            places = f"{edge.place}.condition", f"{edge.place}.to", edge.place
            rules.append(WrittenRule(when, (to,), *places, edge.shape.label))
        elif said.default is None and to not in named:
            default.append(to)
    return rules, tuple(dict.fromkeys(default))


def _merged(rules: Iterable[WrittenRule]) -> tuple[WrittenRule, ...]:
    """Make one rule of those that have one condition, in the place of the first."""
    found: dict[str, WrittenRule] = {}
    apart: dict[str, WrittenRule] = {}
    for rule in rules:
        first = found.get(rule.when, rule)
        label = rule.label if first.label is None else first.label
        schema = rule.output_schema if first.output_schema is None else first.output_schema
        if rule.label not in (None, label) or rule.output_schema not in (None, schema):
            apart[rule.place] = rule  # It says something else of the same route.
            continue
        then = tuple(dict.fromkeys((*first.then, *rule.then)))
        found[rule.when] = replace(first, then=then, label=label, output_schema=schema)
    return (*found.values(), *apart.values())


def _parallel(node: PlacedNode, edges: Sequence[PlacedEdge]) -> WrittenBranch | None:
    """Return a branch that takes every route, for a node that no step stands for otherwise."""
    if node.config.keys() & OWN_CONFIG["parallel"]:
        return None  # It waits, as a join does.
    then = tuple(dict.fromkeys(edge.shape.to for edge in edges))
    if not then:
        return None
    rule = WrittenRule(ALWAYS, then, node.place, node.place, node.place)
    return WrittenBranch((rule,), (), node.place, node.place)


def _judge_labels(edges: Iterable[PlacedEdge], problems: Problems) -> None:
    for edge in edges:
        if edge.shape.label is not None and _condition(edge) in (None, DEFAULT):
            message = "Only an edge with a condition has a label; give it one, or remove the label."
            problems.note("label-without-condition", f"{edge.place}.label", message)


def _condition(edge: PlacedEdge) -> str | None:
    shape = edge.shape.condition
    return None if shape is None or not shape.text else shape.text


def _known(ids: Iterable[str], path: str, nodes: Nodes, problems: Problems) -> tuple[str, ...]:
    """Return the ids that are those of nodes, once each; note the others."""
    found: dict[str, None] = {}
    for index, id in enumerate(ids):
        if id in nodes:
            found[id] = None
        else:
            unknown_node(id, f"{path}[{index}]", nodes, problems)
    return tuple(found)


def _is_object(given: Any) -> bool:
    return isinstance(given, dict)
