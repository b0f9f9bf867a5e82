"""What is wrong with cases as they are written, in sentences that say what to write instead."""

import reprlib
from collections.abc import Iterator, Mapping
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from dagster_pgflow.errors import may_be_meant

_MOST_SHOWN: Final = 20


def sentences_of(error: ValidationError, models: Mapping[str, type[BaseModel]]) -> Iterator[str]:
    """Yield what pydantic found, place by place.

    Args:
        error: What it found.
        models: What stands at places, by the name of the field that it stands in.
    """
    # Of a list with something wrong in it pydantic says besides that it is too short.
    found = [
        details
        for details in error.errors(include_url=False)
        if details["type"] != "too_short" or not details["input"]
    ]
    for details in found[:_MOST_SHOWN]:
        place = ".".join(str(part) for part in details["loc"]) or "$"
        yield f"{place}: {_sentence(details, models)}"
    if len(found) > _MOST_SHOWN:
        yield f"and {len(found) - _MOST_SHOWN} more"


def _sentence(details: Any, models: Mapping[str, type[BaseModel]]) -> str:
    match details["type"]:
        case "extra_forbidden":
            *outer, name = details["loc"]
            around = next((part for part in reversed(outer) if part in models), "")
            fields = list(models[around].model_fields)
            meant = may_be_meant(str(name), fields)
            return f"There is no such field here{meant}; there are {', '.join(fields)}."
        case "literal_error":
            words = str(details["ctx"]["expected"])
            given = str(details["input"])
            meant = may_be_meant(given, words.split("'")[1::2])
            return f"{reprlib.repr(details['input'])} is none of these{meant}: {words}."
        case "missing":
            return "This field is required; add it."
        case _:
            return f"{details['msg']}; got {reprlib.repr(details['input'])}."
