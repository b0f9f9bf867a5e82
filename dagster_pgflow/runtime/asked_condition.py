"""A condition that was asked: what it said, and of which values.

Whoever looks on at a run is told; a code location has nobody who does.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dagster_pgflow.expressions.paths import paths_in


@dataclass(frozen=True)
class AskedCondition:
    """A condition, and what it said.

    Attributes:
        path: The step that asked.
        text: The condition, as its author wrote it.
        holds: What it said.
        values: What stood where it looked, by the paths that it follows.
        reason: Why it has no answer, which counts as false.
    """

    path: str
    text: str
    holds: bool
    values: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""


def values_asked(text: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return what stands where an expression looks; what is not there is left out.

    Args:
        text: CEL.
        values: What it may ask, by root.

    >>> values_asked("output.total > 1 && has(output.code)", {"output": {"total": 3}})
    {'output.total': 3}
    """
    found = {}
    for path in paths_in(text, list(values)):
        value = values[path.root]
        try:
            for part in path.parts:
                value = value[part]
        except (KeyError, IndexError, TypeError):
            continue
        found[path.text] = value
    return found
