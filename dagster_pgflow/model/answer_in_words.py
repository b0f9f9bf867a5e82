"""What the answer to a step has to be, in a few words for whoever gives it."""

import json
from collections.abc import Mapping
from typing import Any, Final

_LONGEST: Final = 120


def answer_in_words(schema: Mapping[str, Any] | None) -> str:
    """Return what a JSON Schema asks for, as far as a few words say it.

    >>> answer_in_words({"type": "object", "properties": {"ok": {}, "why": {}}, "required": ["ok"]})
    'object with ok, why?'
    >>> answer_in_words({"enum": ["yes", "no"]}), answer_in_words(None)
    ('one of "yes", "no"', 'any JSON')
    """
    if not schema:
        return "any JSON"
    options, fields = schema.get("enum"), schema.get("properties")
    if isinstance(options, list) and options:
        text = f"one of {', '.join(json.dumps(one, ensure_ascii=False) for one in options)}"
    elif isinstance(fields, Mapping) and fields:
        required = schema.get("required")
        needed = required if isinstance(required, list) else []
        text = f"object with {', '.join(n if n in needed else f'{n}?' for n in fields)}"
    else:
        kinds = schema.get("type")
        text = " or ".join(kinds) if isinstance(kinds, list) else str(kinds or "JSON by a schema")
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def takes_plain_text(schema: Mapping[str, Any] | None) -> bool:
    """Return whether an answer is a text, so that it can be written without quotes.

    >>> takes_plain_text({"type": "string"}), takes_plain_text({"enum": ["yes", "no"]})
    (True, True)
    >>> takes_plain_text({"type": ["string", "null"]}), takes_plain_text(None)
    (False, False)
    """
    if not schema:
        return False
    options = schema.get("enum")
    if isinstance(options, list) and options:
        return all(isinstance(one, str) for one in options)
    return schema.get("type") == "string"
