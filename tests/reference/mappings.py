"""What goes into a subflow and what comes out: templates with references, lists and schemas."""

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.steps import SubflowStep

IN_TEXT = re.compile(r"\$\{([^}]*)\}")


class LeadsNowhere(Exception):
    """A reference leads to no value, or to one that cannot be there."""


Roots = Mapping[str, Any]
"""What `nodes`, `input` and `item` are."""


def given_to(step: SubflowStep, roots: Roots) -> Any:
    """Return what the mapping of a subflow step gives to its flow."""
    return filled(step.input, roots)


def items_of(step: SubflowStep, roots: Roots) -> list[Any]:
    """Return what a subflow step gives to its flow for each item of its list."""
    over = step.over or ""
    dep = over.removeprefix("$nodes.").partition(".")[0].partition("[")[0]
    if not over.startswith(("$input", "$item")) and dep not in roots["nodes"]:
        # A dependency that was skipped is an empty list.
        return []
    items = found_at(over, roots) if over.startswith("$") else roots["nodes"][over]
    if not isinstance(items, list):
        raise LeadsNowhere(f"{over} is no list")
    if step.input is None:
        return items
    return [given_to(step, {**roots, "item": item}) for item in items]


def returned_by(step: SubflowStep, child: Flow, returned: Any) -> Any:
    """Return what a subflow step returns when its flow returns something."""
    if not fits(child.output_schema, returned):
        raise LeadsNowhere("The output breaks the schema.")
    return returned if step.output is None else filled(step.output, {"nodes": returned or {}})


def fits(schema: Mapping[str, Any] | None, value: Any) -> bool:
    """Return whether a value fits a schema of those that flows are drawn with."""
    match (schema or {}).get("type"):
        case "object":
            needed = (schema or {}).get("required", [])
            return isinstance(value, dict) and all(key in value for key in needed)
        case "array":
            return isinstance(value, list)
        case _:
            return True


def filled(template: Any, roots: Roots) -> Any:
    """Return what a template stands for.

    Args:
        template: JSON with references in it.
        roots: What `nodes`, `input` and `item` are here.

    Raises:
        LeadsNowhere: A reference does.
    """
    if isinstance(template, dict):
        return {key: filled(value, roots) for key, value in template.items()}
    if isinstance(template, list):
        return [filled(value, roots) for value in template]
    if not isinstance(template, str):
        return template
    if template.startswith("$$"):
        return template[1:]
    if re.match(r"\$(nodes|input|item)\b", template):
        return found_at(template, roots)
    return IN_TEXT.sub(lambda match: _text(found_at(match[1], roots)), template)


def found_at(reference: str, roots: Roots) -> Any:
    """Return what one reference leads to."""
    root, *parts = reference.strip().replace("[", ".").replace("]", "").removeprefix("$").split(".")
    if root not in roots:
        raise LeadsNowhere(reference)
    value = roots[root]
    for part in parts:
        if isinstance(value, dict) and part in value:
            value = value[part]
        elif isinstance(value, list) and part in map(str, range(len(value))):
            value = value[int(part)]
        else:
            raise LeadsNowhere(reference)
    return value


def _text(value: Any) -> str:
    """Return a value as a text has it: keys in order of names, numbers as jsonb has them."""
    if isinstance(value, str):
        return value
    return json.dumps(with_all_digits(value), ensure_ascii=False, sort_keys=True)


def with_all_digits(value: Any) -> Any:
    """Return a value with numbers as jsonb has them: 1e22 has all its digits, zero no sign."""
    match value:
        case float():
            whole = value.is_integer() and abs(value) >= 1e16
            return int(Decimal(repr(value))) if whole else value + 0.0
        case list():
            return [with_all_digits(item) for item in value]
        case dict():
            return {key: with_all_digits(item) for key, item in value.items()}
        case _:
            return value
