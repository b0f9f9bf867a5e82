"""Which field may be meant by one that there is not."""

import re
from collections.abc import Mapping
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any, Final

from pydantic import BaseModel

from dagster_pgflow.dsl.workflow.config_shape import Loop, Retry
from dagster_pgflow.dsl.workflow.shape import Metadata, Workflow
from dagster_pgflow.model.flow import Schedule
from dagster_pgflow.model.guards import GUARDS

SYNONYMS: Final = {
    "kind": "type",
    "params": "config",
    "args": "config",
    "handler": "config",
    "function": "config",
    "timeout": "timeout_ms",
    "retries": "retry",
    "max_attempts": "retry",
    "source": "from",
    "target": "to",
    "when": "condition",
    "if": "condition",
    "slug": "id",
    "key": "id",
    "label": "name",
    "steps": "nodes",
    "back_to": "loop_back_to",
    "then": "next_nodes",
    "default_path": "default",
    "start_delay": "start_delay_ms",
    "max_delay": "max_delay_ms",
    "base_delay": "backoff_ms",
    "condition": "run_if",
    "expression": "cron",
    "inputs": "input",
    "name": "slug",
    "id": "slug",
}
"""What else our fields are called, where similar letters do not show it."""

_INNER: Final[Mapping[str, type[BaseModel]]] = MappingProxyType(
    {"metadata": Metadata, "retry": Retry, "loop": Loop, "schedules": Schedule, **GUARDS}
)


def advice(model: type[BaseModel], place: tuple[str | int, ...]) -> str:
    """Return what to do about a field that there is not.

    Args:
        model: The part of a document that was read.
        place: Where in it the field stands.
    """
    name = str(place[-1])
    names = _names_at(model, place[:-1])
    if model is Workflow and len(place) == 1 and name in Metadata.model_fields:
        return "move it into metadata"
    meant = SYNONYMS.get(name)
    if meant not in names:
        meant = next(iter(get_close_matches(name, names, 1)), None)
    return "remove it" if meant is None else f'"{meant}" may be meant'


def misspelt(metadata: Any) -> dict[str, str]:
    """Return the names in the metadata that differ from ours in how they are written only.

    Other fields are the business of whoever wrote them.
    """
    if not isinstance(metadata, Mapping):
        return {}
    ours = {name.removesuffix("s"): name for name in Metadata.model_fields}
    plain = {name: _plain(name) for name in metadata if _is_foreign(name)}
    return {name: ours[one] for name, one in plain.items() if one in ours}


def _is_foreign(name: Any) -> bool:
    return isinstance(name, str) and name not in Metadata.model_fields


def _plain(name: str) -> str:
    """Return a name in small letters and the singular: `inputSchema` is `input_schema`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])|-", "_", name).lower().removesuffix("s")


def _names_at(model: type[BaseModel], place: tuple[str | int, ...]) -> list[str]:
    named = [part for part in place if isinstance(part, str)]
    found = model if not named else _INNER.get(named[-1])
    fields = {} if found is None else found.model_fields
    return [part.alias or name for name, part in fields.items()]
