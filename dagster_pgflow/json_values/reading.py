"""JSON text to JSON values and back, with one error for all that can go wrong."""

import json
from typing import Any, NoReturn

from dagster_pgflow.errors import ValueNotJson
from dagster_pgflow.json_values.limits import TOO_DEEP, TOO_LONG, refusal, refuse_beyond_limits


def read_json(text: str, meaning: str) -> Any:
    """Return what a JSON text says.

    Args:
        text: The text.
        meaning: What it is, for the message: "The input of flow ...".

    Raises:
        ValueNotJson: It is no JSON, or more than `limits` allow.
    """
    value = read_own_json(text, meaning)
    refuse_beyond_limits(value, meaning)
    return value


def read_own_json(text: str, meaning: str) -> Any:
    """Return what a JSON text says that we wrote: values within the limits, put together.

    Args:
        text: The text.
        meaning: What it is, for the message.

    Raises:
        ValueNotJson: It cannot be read.
    """
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise ValueNotJson(f"{meaning} is no JSON: {error}.") from error
    except RecursionError:
        raise ValueNotJson(refusal(meaning, TOO_DEEP)) from None
    except _NoJson as error:
        raise ValueNotJson(f"{meaning} is no JSON: {error}.") from None
    except ValueError:
        # What is left: Python's own limit for the digits of an integer.
        raise ValueNotJson(refusal(meaning, TOO_LONG)) from None


def write_json(value: Any, meaning: str) -> str:
    """Return a JSON value as text, in ASCII.

    Args:
        value: The value.
        meaning: What it is, for the message.

    Raises:
        ValueNotJson: It has no JSON form.
    """
    try:
        return json.dumps(value, allow_nan=False, separators=(",", ":"))
    except RecursionError:
        raise ValueNotJson(refusal(meaning, TOO_DEEP)) from None
    except (TypeError, ValueError) as error:
        raise ValueNotJson(f"{meaning} cannot be written as JSON: {error}.") from error


class _NoJson(ValueError):
    pass


def _refuse_constant(name: str) -> NoReturn:
    raise _NoJson(f"it says {name}")
