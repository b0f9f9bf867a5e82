"""What a node does, apart from where the run goes on: its handler and its params."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from dagster_pgflow.dsl.workflow.config_shape import (
    ConditionalConfig,
    JoinConfig,
    Loop,
    MapConfig,
    SubflowConfig,
)
from dagster_pgflow.dsl.workflow.other_words import in_our_words
from dagster_pgflow.dsl.workflow.parts import PlacedNode, Problems, shown
from dagster_pgflow.dsl.workflow.waiting_shape import WAITING

HANDLERS: Final[Mapping[str, str]] = {
    "http": "pgflow.http",
    "transform": "pgflow.transform",
    "aggregate": "pgflow.aggregate",
    "filter": "pgflow.filter",
    "pick": "pgflow.pick",
    "fail": "pgflow.fail",
}
"""The handlers of the types of nodes that bring their own; their config is what it takes."""

HANDLER_KEYS: Final = ("handler", "function", "function_name")
"""What the config calls the handler of the other types."""

PARAMS_KEY: Final = "params"
CONFIG_REF: Final = "config_ref"
AGENT: Final = "agent"
WORKING: Final = ("function", "task", AGENT)
"""The types that have a handler even if they do not name one."""

OWN_CONFIG: Final[Mapping[str, frozenset[str]]] = {
    "conditional": frozenset(ConditionalConfig.model_fields),
    "parallel": frozenset(JoinConfig.model_fields),
    "join": frozenset(JoinConfig.model_fields),
    "loop": frozenset(Loop.model_fields),
    "map": frozenset(MapConfig.model_fields),
    "subflow": frozenset(SubflowConfig.model_fields),
    **{kind: frozenset(config.model_fields) for kind, config in WAITING.items()},
}
"""What in the config of a node is no param, besides the handler."""


@dataclass(frozen=True)
class Work:
    """What a node does.

    Attributes:
        handler: The handler that it names.
        params: The params of its handler.
        handler_place: Where the handler is named.
        param_places: Where each param stands.
        params_place: Where they stand together.
    """

    handler: str | None
    params: dict[str, Any]
    handler_place: str
    params_place: str
    param_places: Mapping[str, str] = field(default_factory=dict)


def work_of(node: PlacedNode, deps: Collection[str], problems: Problems) -> Work:
    """Return what a node does.

    Args:
        deps: The nodes that it waits for.
        problems: Where to note what is wrong.
    """
    kind, place = node.shape.type, f"{node.place}.config"
    config = dict(node.config)
    if node.shape.config_ref:
        config.setdefault(CONFIG_REF, node.shape.config_ref)
    if kind in HANDLERS and not config.keys() & set(HANDLER_KEYS):
        ours = in_our_words(node, config, len(deps), problems)
        return Work(HANDLERS[kind], ours.config, f"{node.place}.type", place, ours.places)
    # A loop that stands in a field of its own leaves the config to the handler.
    own = OWN_CONFIG.get(kind, frozenset()) if node.loop is None else frozenset()
    config = {key: part for key, part in config.items() if key not in own}
    handler, handler_place = _handler(config, place, problems)
    places = {key: f"{place}.{key}" for key in config}
    inner = config.get(PARAMS_KEY)
    if isinstance(inner, dict):
        config.pop(PARAMS_KEY)
        for key in inner.keys() & config.keys():
            message = f'The param "{key}" is in the config and in its params; remove one.'
            problems.note("param-twice", f"{place}.{key}", message)
        config = {**config, **inner}
        places |= {key: f"{place}.{PARAMS_KEY}.{key}" for key in inner}
    if handler is None and kind == AGENT:
        handler = AGENT
    return Work(handler, config, handler_place or place, place, places)


def _handler(config: dict[str, Any], place: str, problems: Problems) -> tuple[str | None, str]:
    """Take the handler out of a config; return it, and where it stood."""
    named = [key for key in HANDLER_KEYS if key in config]
    if not named:
        return None, ""
    given, path = config.pop(named[0]), f"{place}.{named[0]}"
    for other in named[1:]:
        message = f'"{named[0]}" names the handler already; remove one of them.'
        problems.note("handler-twice", f"{place}.{other}", message)
        config.pop(other)
    if isinstance(given, str) and given:
        return given, path
    problems.note("wrong-value", path, f"The name of a handler is text; got {shown(given)}.")
    return None, path
