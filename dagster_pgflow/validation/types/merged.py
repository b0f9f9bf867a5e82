"""What comes of objects that are laid over each other, as far as schemas tell."""

from collections.abc import Iterable

from dagster_pgflow.validation.types.json_type import ANYTHING, JsonType

OBJECT = JsonType({"type": "object"})


def laid_over(parts: Iterable[JsonType]) -> JsonType:
    """Return the type of objects laid over each other, of which any may be missing.

    Args:
        parts: The types of the objects, in their order.
    """
    objects = [_as_object(part) for part in parts]
    known = [one for one in objects if one is not None]
    if len(known) < len(objects):
        return OBJECT
    names = dict.fromkeys(name for one in known for name in one.fields)
    return JsonType(
        {
            "type": "object",
            "properties": {name: _field(name, known) for name in names},
            "additionalProperties": not all(_is_closed(one) for one in known),
        }
    )


def over_anything(own: JsonType) -> JsonType:
    """Return the type of an object laid over another one, of which nothing is known.

    Args:
        own: The type of what lies on top.
    """
    top = _as_object(own)
    if top is None:
        return OBJECT
    # A field that need not be there may come from below.
    fields = {name: top.part(top.fields[name]) for name in top.required if name in top.fields}
    return JsonType(
        {
            "type": "object",
            "properties": fields,
            "required": list(fields),
            "additionalProperties": True,
        }
    )


def _as_object(part: JsonType) -> JsonType | None:
    """Return a type whose fields are listed in one place; none where they are not."""
    here = part.resolved()
    objects = [one.resolved() for one in here.alternatives]
    objects = [one for one in objects if "object" in one.kinds]
    if here.parts or not isinstance(here.schema, dict):
        return None
    if here.alternatives:
        return _as_object(objects[0]) if len(objects) == 1 else None
    return here if "object" in here.kinds else None


def _is_closed(one: JsonType) -> bool:
    return bool(one.others == "none")


def _field(name: str, objects: Iterable[JsonType]) -> JsonType:
    found: list[JsonType] = []
    for one in objects:
        if name in one.fields:
            found.append(one.part(one.fields[name]))
        elif not _is_closed(one):
            return ANYTHING
    return found[0] if len(found) == 1 else JsonType({"anyOf": found})
