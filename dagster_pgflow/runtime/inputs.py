"""Whether a flow's input fits its input schema, and the form in which Dagster gets it."""

from typing import Any

from jsonschema.exceptions import best_match

from dagster_pgflow.json_values.sealed import seal, seal_always
from dagster_pgflow.model.defaults import input_of_run
from dagster_pgflow.validation.bounded_schemas import breaches

_LONGEST = 1000


def breach(schema: dict[str, Any] | None, value: Any) -> str | None:
    """Return where and how a value breaks a JSON Schema, or `None` when it fits.

    A schema may refer to parts of itself; nothing is ever fetched for it.

    >>> breach({"type": "object", "required": ["id"]}, {})
    "$: 'id' is a required property"
    """
    if schema is None:
        return None
    try:
        error = best_match(breaches(schema, value))
    except Exception as problem:  # noqa: BLE001  # jsonschema stumbles over a bad schema in any way
        reason = _shortened(str(problem).partition("\n")[0])
        return f"the schema itself cannot be used: {reason}"
    return None if error is None else _shortened(f"{error.json_path}: {error.message}")


def _shortened(reason: str) -> str:
    """Return a reason without most of a large value that it quotes."""
    return reason if len(reason) <= _LONGEST else f"{reason[:_LONGEST]} …"


def as_run_config(schema: dict[str, Any] | None, asked: Any) -> Any:
    """Return the input of a run in the form in which its run config has it.

    Dagster refuses some inputs that do not fit. Nobody may be there to hear that, so such an input
    comes as text, which it does not look into: then the run fails, and says why.

    Args:
        schema: The input schema of the flow.
        asked: The input that is asked for.
    """
    fits = breach(schema, input_of_run(schema, asked)) is None
    return seal(asked) if fits else seal_always(asked)
