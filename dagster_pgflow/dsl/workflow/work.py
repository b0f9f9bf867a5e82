"""What a node does, apart from where the run goes on: its handler, its params, its patience."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from dagster_pgflow.dsl.workflow.parts import PlacedNode, Problems, shown
from dagster_pgflow.dsl.workflow.shape import (
    DEFAULT_ATTEMPTS,
    DEFAULT_BACKOFF_MS,
    ConditionalConfig,
    JoinConfig,
    Loop,
)
from dagster_pgflow.model.options import DEFAULT_TIMEOUT, StepOptions

HANDLERS: Final[Mapping[str, str]] = {
    "http": "pgflow.http",
    "transform": "pgflow.transform",
    "aggregate": "pgflow.aggregate",
    "filter": "pgflow.filter",
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
}
"""What in the config of a node is no param, besides the handler."""

MS: Final = 1000
# The wait before the second try is twice the base delay.
MS_OF_BASE_DELAY: Final = 2 * MS
BY_DEFAULT: Final = StepOptions()
DEFAULT_BASE_DELAY: Final = math.ceil(DEFAULT_BACKOFF_MS / MS_OF_BASE_DELAY)
"""Seconds; what the default backoff of documents comes to."""


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


def work_of(node: PlacedNode, problems: Problems) -> Work:
    """Return what a node does.

    Args:
        node: The node.
        problems: Where to note what is wrong.
    """
    kind, place = node.shape.type, f"{node.place}.config"
    config = dict(node.config)
    if node.shape.config_ref:
        config.setdefault(CONFIG_REF, node.shape.config_ref)
    if kind in HANDLERS:
        return Work(HANDLERS[kind], config, f"{node.place}.type", place)
    # A loop that stands in a field of its own leaves the config to the handler.
    own = OWN_CONFIG.get(kind, frozenset()) if node.loop is None else frozenset()
    config = {key: part for key, part in config.items() if key not in own}
    handler, handler_place = _handler(config, place, problems)
    places = {key: f"{place}.{key}" for key in config}
    inner = config.get(PARAMS_KEY)
    if isinstance(inner, dict):
        config.pop(PARAMS_KEY)
        for key in inner.keys() & config.keys():
            message = f'The param "{key}" stands in the config and in its params; remove one.'
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


def options_of(node: PlacedNode, problems: Problems) -> StepOptions:
    """Return how patiently a node is tried, without what is so by default.

    Args:
        node: The node.
        problems: Where to note what is wrong.
    """
    retry = node.shape.retry
    if retry is None and not node.shape.timeout_ms:
        return BY_DEFAULT
    timeout = math.ceil((node.shape.timeout_ms or 0) / MS)
    attempts = DEFAULT_ATTEMPTS if retry is None else retry.max_attempts
    backoff_ms = DEFAULT_BACKOFF_MS if retry is None else retry.backoff_ms
    base_delay = math.ceil(backoff_ms / MS_OF_BASE_DELAY)
    waits_twice = attempts > 2 and backoff_ms > 0
    if retry is not None and retry.backoff_multiplier != 2 and waits_twice:
        problems.note(
            "unsupported-backoff",
            f"{node.place}.retry.backoff_multiplier",
            f"Each wait is twice the one before, not {retry.backoff_multiplier:g} times it;"
            " write 2, or leave it out.",
        )
    return StepOptions(
        max_attempts=None if attempts == DEFAULT_ATTEMPTS else attempts,
        base_delay=None if base_delay == DEFAULT_BASE_DELAY else base_delay,
        timeout=None if timeout in (0, DEFAULT_TIMEOUT) else timeout,
    )
