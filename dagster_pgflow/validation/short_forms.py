"""Short forms of flow documents, as SQL and Python take them, written out."""

from typing import Any, Final

from dagster_pgflow.model.steps import ARGUMENTS

DEFAULT_TYPE: Final = "single"
"""What a step is that does not say so, as in SQL."""

EDITORS_KEY: Final = "$schema"
"""Where a document says by which JSON Schema an editor checks it; a flow has no such field."""


def written_out(document: Any) -> Any:
    """Return a flow's document in its long form; what is no flow is returned as it is.

    A step without a type is single, one slug stands for a list of one, rules may be pairs, and
    `$schema` is for editors only.
    """
    if not isinstance(document, dict):
        return document
    fields = {
        name: value
        for name, value in document.items()
        if name != EDITORS_KEY or not isinstance(value, str)
    }
    steps = fields.get("steps")
    if isinstance(steps, list):
        fields["steps"] = [_step(one) for one in steps]
    return fields


def _step(given: Any) -> Any:
    if not isinstance(given, dict):
        return given
    typed = given if "type" in given else {"type": DEFAULT_TYPE, **given}
    return {name: _field(name, value) for name, value in typed.items()}


def _field(name: Any, value: Any) -> Any:
    """Return a field as documents have it; whatever is something else stays, for its own rule."""
    if isinstance(value, bool) or not isinstance(value, str | int | list):
        return value
    read = ARGUMENTS[name].read(value) if name in ARGUMENTS else value
    return list(read) if isinstance(read, tuple) else read
