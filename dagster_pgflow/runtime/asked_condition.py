"""A condition that was asked: what it said, and of which values, for logs, tables and tests."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from dagster_pgflow.expressions.paths import paths_in
from dagster_pgflow.json_values.shown import in_one_line, shown_at

VALUES_SHOWN: Final = 5
LONGEST_TEXT: Final = 160
"""Characters that are shown of a condition, and of why it has no answer."""


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

    @property
    def told(self) -> str:
        """What it said, in words of bounded length.

        >>> AskedCondition("ship", "output.total > 100", False, {"output.total": 42}).told
        '`output.total > 100` is false (output.total is 42)'
        """
        said = f"`{in_one_line(self.text, LONGEST_TEXT)}` is {str(self.holds).lower()}"
        return f"{said}{self.because}"

    @property
    def because(self) -> str:
        """What it looked at, and why it has no answer, in brackets; nothing if that is nothing."""
        told = [in_one_line(self.reason, LONGEST_TEXT)] if self.reason else []
        told += _shown_values(self.values)
        return f" ({'; '.join(told)})" if told else ""


def values_asked(text: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return what stands where an expression looks; what is not there is left out.

    Args:
        text: CEL.
        values: What it may ask, by root.

    >>> values_asked("output.total > 1 && has(output.code)", {"output": {"total": 3}})
    {'output.total': 3}
    >>> values_asked("size(input) > 1", {"input": [3, 4]})
    {'input': [3, 4]}
    """
    found = {}
    for path in paths_in(text, list(values), bare=True):
        value = values[path.root]
        try:
            for part in path.parts:
                value = value[part]
        except (KeyError, IndexError, TypeError):
            continue
        found[path.text] = value
    return found


def values_at(value: Any, pattern: Any, path: str) -> dict[str, Any]:
    """Return what stands where a pattern of JSON containment looks.

    Where one of its fields is missing, that is what should have it.

    Args:
        value: What is asked whether it contains the pattern.
        pattern: JSON.
        path: The path of the value.

    >>> values_at({"a": 1, "b": {"c": 2}}, {"a": 3, "b": {"d": 4}}, "input")
    {'input.a': 1, 'input.b': {'c': 2}}
    """
    if not (pattern and isinstance(pattern, dict) and isinstance(value, dict)):
        return {path: value}
    found: dict[str, Any] = {}
    for key, wanted in pattern.items():
        if key in value:
            found |= values_at(value[key], wanted, f"{path}.{key}")
        else:
            found[path] = value
    return found


def _shown_values(values: Mapping[str, Any]) -> Iterator[str]:
    for path, value in list(values.items())[:VALUES_SHOWN]:
        yield f"{in_one_line(path, LONGEST_TEXT)} is {shown_at(path, value)}"
    if len(values) > VALUES_SHOWN:
        yield f"and {len(values) - VALUES_SHOWN} more"
