"""How often a node is tried and how long it waits, in seconds instead of milliseconds, and back."""

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

from dagster_pgflow.dsl.workflow.config_shape import DEFAULT_BACKOFF_MS, Retry
from dagster_pgflow.dsl.workflow.parts import Problems
from dagster_pgflow.dsl.workflow.shape import Metadata, Node
from dagster_pgflow.model.options import (
    MS,
    FlowOptions,
    StepOptions,
    TryOptions,
    retry_policy_of,
    timeout_of,
)

# The wait before the second try is twice the base delay.
MS_OF_BASE_DELAY: Final = 2 * MS
DEFAULT_BASE_DELAY: Final = math.ceil(DEFAULT_BACKOFF_MS / MS_OF_BASE_DELAY)
"""Seconds; what the default backoff of documents comes to."""

BY_DEFAULT: Final = FlowOptions(base_delay=DEFAULT_BASE_DELAY)
"""What holds for the nodes of a document that say nothing, and whose metadata do not."""

TIMEOUT: Final = "timeout"
WRITTEN: Final[Mapping[str, str]] = {
    TIMEOUT: "timeout_ms",
    "start_delay": "start_delay_ms",
    "max_attempts": "retry.max_attempts",
    "base_delay": "retry.backoff_ms",
    "max_delay": "retry.max_delay_ms",
    "jitter": "retry.jitter",
}
"""Where documents say each option of how a step is tried."""

_RETRY: Final = "retry."
_MS_OF: Final = {
    TIMEOUT: MS,
    "start_delay": MS,
    "base_delay": MS_OF_BASE_DELAY,
    "max_delay": MS,
}


def options_said(
    said: Node | Metadata, inherited: FlowOptions, place: str, problems: Problems
) -> dict[str, Any]:
    """Return the options that are said, without those that hold anyway.

    Args:
        said: What says them.
        inherited: What holds where it says nothing.
        place: Where it stands.
        problems: Where to note what is wrong.
    """
    holding = policy(inherited)
    found: dict[str, Any] = {}
    for name, written in WRITTEN.items():
        value = _given(said, written)
        if name == TIMEOUT:
            value = value / MS if value else None  # 0 says nothing.
        elif value is not None and name in _MS_OF:
            value = math.ceil(value / _MS_OF[name])
        if value is not None:
            found[name] = value
    if said.retry is not None:
        _judge_multiplier(said.retry, holding | found, place, problems)
    said_anew = {name: value for name, value in found.items() if value != holding[name]}
    seconds = said_anew.pop(TIMEOUT, None)
    return said_anew | ({} if seconds is None else timeout_of(round(seconds * MS)))


def written_options(options: TryOptions, inherited: Mapping[str, Any]) -> dict[str, Any]:
    """Return what documents say for options, as far as it does not hold anyway."""
    written: dict[str, Any] = {}
    for name, place in WRITTEN.items():
        value = options.seconds if name == TIMEOUT else getattr(options, name, None)
        if value is None or value == inherited[name]:
            continue
        value = round(value * _MS_OF[name]) if name in _MS_OF else value
        if place.startswith(_RETRY):
            written.setdefault("retry", {})[place.removeprefix(_RETRY)] = value
        else:
            written[place] = value
    return written


def policy(options: FlowOptions) -> dict[str, Any]:
    """Return what holds for a step that says nothing of its own."""
    return asdict(retry_policy_of(options, StepOptions()))


def _given(said: Node | Metadata, place: str) -> Any:
    """Return what stands at a place; what is there by default is not said."""
    if not place.startswith(_RETRY):
        return getattr(said, place, None)
    name = place.removeprefix(_RETRY)
    retry = said.retry
    return None if retry is None or name not in retry.model_fields_set else getattr(retry, name)


def _judge_multiplier(
    retry: Retry, holding: Mapping[str, Any], place: str, problems: Problems
) -> None:
    waits_twice = holding["max_attempts"] > 2 and holding["base_delay"] > 0
    if retry.backoff_multiplier != 2 and waits_twice:
        problems.note(
            "unsupported-backoff",
            f"{place}.retry.backoff_multiplier",
            f"Each wait is twice the one before, not {retry.backoff_multiplier:g} times it;"
            " write 2, or leave it out.",
        )
