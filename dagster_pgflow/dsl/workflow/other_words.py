"""Configs of node types in the words of other systems, as ours say the same.

What has one plain meaning is taken over, and written back in our words. What has none is named,
together with what to write instead.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, get_args

from dagster_pgflow.dsl.workflow.parts import PlacedNode, Problems, shown
from dagster_pgflow.errors import InvalidExpression
from dagster_pgflow.expressions.cel import value_expression
from dagster_pgflow.expressions.javascript import as_cel, is_javascript
from dagster_pgflow.node_types.aggregate import Operation, path_in
from dagster_pgflow.node_types.transform import Transformation

UNCLEAR: Final = "unclear-config"

STAND_IN: Final = "true"
"""What is read in place of an expression whose problems are told already."""

ELEMENTS: Final = ("value", "element", "x", "it")
"""What else an element of a list is called in a `filter_expression`."""

TRANSFORMATIONS: Final[Mapping[str, Transformation]] = {
    **{name: name for name in get_args(Transformation)},
    "upper": "uppercase",
    "lower": "lowercase",
    "strip": "trim",
}
OPERATIONS: Final[Mapping[str, Operation]] = {
    **{name: name for name in get_args(Operation)},
    "average": "mean",
    "avg": "mean",
    "total": "sum",
    "minimum": "min",
    "maximum": "max",
}


@dataclass
class Rewriting:
    """A config on its way into our words.

    Attributes:
        node: The node that it belongs to.
        received: What stands in CEL for what the node receives.
        config: The config; what is said in other words is taken out of it.
        problems: Where to note what is wrong.
        places: Where in the document the params stand that have another name here.
    """

    node: PlacedNode
    received: str
    config: dict[str, Any]
    problems: Problems
    places: dict[str, str] = field(default_factory=dict)

    @property
    def place(self) -> str:
        """Where the config stands."""
        return f"{self.node.place}.config"

    def put(self, name: str, value: Any, said_in: str) -> None:
        """Say something in our words, unless that is said already."""
        if name in self.config:
            message = f'"{name}" says this already; remove one of the two.'
            self.problems.note("param-twice", f"{self.place}.{said_in}", message)
            return
        self.config[name] = value
        self.places[name] = f"{self.place}.{said_in}"

    def refuse(self, said_in: str, message: str) -> None:
        """Note what has no plain meaning."""
        self.problems.note(UNCLEAR, f"{self.place}.{said_in}", message)

    def translated(self, text: Any, said_in: str, elements: tuple[str, ...] = ()) -> Any:
        """Return an expression as CEL, which it may be already."""
        if not isinstance(text, str) or _is_cel(text) or not (elements or is_javascript(text)):
            return text
        written, unclear = as_cel(text, self.received, elements)
        for reason in dict.fromkeys(unclear):
            self.refuse(said_in, f"`{text}` cannot be read: {reason}.")
        return STAND_IN if unclear else written


def in_our_words(
    node: PlacedNode, config: Mapping[str, Any], deps: int, problems: Problems
) -> Rewriting:
    """Return the config of a node type as the built-in one takes it.

    Args:
        node: A node of a type that brings its handler.
        config: Its config.
        deps: How many nodes it waits for.
        problems: Where to note what is wrong.
    """
    # Several outputs arrive by the ids of their nodes, which is what the input is then.
    rewriting = Rewriting(node, "output" if deps == 1 else "input", dict(config), problems)
    does = _OF_TYPE.get(node.shape.type)
    if does is not None:
        does(rewriting)
    return rewriting


def _transform(given: Rewriting) -> None:
    config = given.config
    match config.get("expression"):
        case str() as text:
            config["expression"] = given.translated(text, "expression")
        case dict() as texts:
            config["expression"] = {
                name: given.translated(text, f"expression.{name}") for name, text in texts.items()
            }
    named = config.get("transformation")
    if isinstance(named, str) and "$" not in named:
        known = TRANSFORMATIONS.get(named.lower())
        if known is None:
            del config["transformation"]
            config.setdefault("expression", given.received)
            given.refuse(
                "transformation",
                f"What {shown(named)} does, nothing says; write one of"
                f" {', '.join(get_args(Transformation))}, an expression in CEL, or a node of type"
                " function whose handler does it.",
            )
        else:
            config["transformation"] = known


def _filter(given: Rewriting) -> None:
    if "filter_expression" in given.config:
        text = given.config.pop("filter_expression")
        condition = given.translated(text, "filter_expression", ELEMENTS)
        given.put("condition", condition, "filter_expression")
    elif "condition" in given.config:
        given.config["condition"] = given.translated(given.config["condition"], "condition")


def _aggregate(given: Rewriting) -> None:
    config = given.config
    if "strategy" in config:
        named = config.pop("strategy")
        config.setdefault("measures", {"values": {"op": "collect"}})
        given.refuse(
            "strategy",
            f"What {shown(named)} makes of several outputs, nothing says; write measures, or a node"
            " of type transform whose expression puts them together.",
        )
    if "operation" not in config:
        return
    operation, path = config.pop("operation"), config.pop("field", None)
    if not isinstance(path, str | None) or path == "":
        message = f"The field is the name of one, or a path to one; got {shown(path)}."
        given.problems.note("wrong-value", f"{given.place}.field", message)
        path = None
    op = OPERATIONS.get(operation.lower()) if isinstance(operation, str) else None
    if op is None:
        config.setdefault("measures", {"values": {"op": "collect"}})
        given.refuse(
            "operation",
            f"{shown(operation)} is no operation; write one of {', '.join(get_args(Operation))},"
            " or a node of type function whose handler does it.",
        )
        return
    measure = {"op": op} if path is None else {"op": op, "of": _of(path)}
    given.put("measures", {operation: measure}, "operation")
    given.places[f"measures.{operation}.of"] = f"{given.place}.field"


def _of(path: str) -> str:
    """Return the value of a field, whatever it is called."""
    if path_in(path):
        return path
    name = path.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{name}" in item ? item["{name}"] : null'


def _is_cel(text: str) -> bool:
    try:
        value_expression(text)
    except InvalidExpression:
        return False
    return True


_OF_TYPE: Final[Mapping[str, Callable[[Rewriting], None]]] = {
    "transform": _transform,
    "filter": _filter,
    "aggregate": _aggregate,
}
