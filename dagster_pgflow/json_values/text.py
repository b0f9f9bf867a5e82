"""JSON values to text and back, with one error for all that can go wrong.

What comes from outside has limits. What we put together of such values, an object of outputs for
instance, is ours to bound: it may be a little more.
"""

import json
from typing import Any, NoReturn

from dagster_pgflow.json_values.limits import TOO_DEEP, TOO_LONG, refusal, refuse_beyond_limits
from dagster_pgflow.step_errors import ValueNotJson


def read_json(text: str, meaning: str) -> Any:
    """Return what a JSON text from outside says.

    Args:
        meaning: What it is, for the message: "The input of flow ...".

    Raises:
        ValueNotJson: It is not JSON, or more than the limits allow.
    """
    value = read_own_json(text, meaning)
    refuse_beyond_limits(value, meaning)
    return value


def read_own_json(text: str, meaning: str) -> Any:
    """Return what a JSON text says that we wrote.

    Args:
        meaning: What it is, for the message.

    Raises:
        ValueNotJson: It cannot be read.
    """
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except (json.JSONDecodeError, _NotJson) as error:
        raise ValueNotJson(f"{meaning} is not JSON: {error}.") from error
    except RecursionError:
        raise ValueNotJson(refusal(meaning, TOO_DEEP)) from None
    except ValueError:
        # What is left: Python's own limit for the digits of an integer.
        raise ValueNotJson(refusal(meaning, TOO_LONG)) from None


def write_json(value: Any, meaning: str) -> str:
    """Return a value from outside as JSON text, in ASCII.

    Args:
        meaning: What it is, for the message.

    Raises:
        ValueNotJson: It has no JSON form, or is more than the limits allow.
    """
    refuse_beyond_limits(value, meaning)
    return write_own_json(value, meaning)


def write_json_or_null(value: Any, meaning: str) -> str | None:
    """Return a value from outside as JSON text, and `None` as SQL null.

    Raises:
        ValueNotJson: It has no JSON form, or is more than the limits allow.
    """
    return None if value is None else write_json(value, meaning)


def write_own_json(value: Any, meaning: str) -> str:
    """Return a value that we put together as JSON text, in ASCII.

    Args:
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


class _NotJson(ValueError):
    pass


def _refuse_constant(name: str) -> NoReturn:
    raise _NotJson(f"it says {name}")
