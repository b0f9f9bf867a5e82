"""YAML and JSON text as forms with their places.

The text is read twice: once by the reader that refuses what no definition may hold, and once for
where everything stands. What the second look does not find, such as an object that an alias made,
has the place of what it lies in.
"""

from collections.abc import Sequence
from typing import Any, Final

import yaml

from dagster_pgflow.dsl.manifest.forms import NOWHERE, At, Atom, Form, MapForm, VectorForm, form_of
from dagster_pgflow.dsl.reading.json_text import read_json
from dagster_pgflow.dsl.reading.yaml_text import read_yaml

_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NULL: Final = "tag:yaml.org,2002:null"
_MERGE: Final = "<<"


def read_placed_yaml(text: str, file: str = "") -> list[Form]:
    """Return the YAML documents in a text, empty documents left out.

    Args:
        file: What their places call the file.

    Raises:
        Unreadable: It is no YAML, says what JSON cannot, or is out of bounds.
    """
    return placed_forms(text, read_yaml(text), file)


def read_placed_json(text: str, file: str = "") -> list[Form]:
    """Return the value that a JSON text stands for.

    Args:
        file: What its places call the file.

    Raises:
        Unreadable: It is not JSON, has a key twice in one object, or is out of bounds.
    """
    return placed_forms(text, [read_json(text)], file)


def placed_forms(text: str, values: Sequence[Any], file: str = "") -> list[Form]:
    """Return values that were read from YAML or JSON as forms.

    Args:
        text: The text.
        values: What it stands for.
        file: What its places call the file.
    """
    try:
        nodes = [node for node in yaml.compose_all(text, Loader=_LOADER) if node.tag != _NULL]
    except yaml.YAMLError:
        # Not all JSON is YAML; it has no places then.
        nodes = []
    if len(nodes) != len(values):
        return [form_of(value) for value in values]
    return [_form(value, node, NOWHERE, file) for value, node in zip(values, nodes, strict=True)]


def _form(value: Any, node: Any, around: At, file: str) -> Form:
    at = around if node is None else _at(node, file)
    match value:
        case dict():
            return MapForm(tuple(_pair(key, value[key], node, at, file) for key in value), at)
        case list():
            nodes = node.value if isinstance(node, yaml.SequenceNode) else []
            inside = nodes if len(nodes) == len(value) else [None] * len(value)
            parts = zip(value, inside, strict=True)
            return VectorForm(tuple(_form(part, one, at, file) for part, one in parts), at)
        case _:
            return Atom(value, at)


def _pair(key: str, value: Any, node: Any, at: At, file: str) -> tuple[Form, Form]:
    found = _found(key, node)
    if found is None:
        return Atom(key, at), _form(value, None, at, file)
    name, inside = found
    return Atom(key, _at(name, file)), _form(value, inside, at, file)


def _found(key: str, node: Any) -> tuple[Any, Any] | None:
    """Return where a key and its value stand, in an object or in what is merged into it."""
    if isinstance(node, yaml.SequenceNode):
        places = (_found(key, other) for other in node.value)
        return next((place for place in places if place is not None), None)
    if not isinstance(node, yaml.MappingNode):
        return None
    merged = None
    for name, inside in node.value:
        if name.value == key:
            return name, inside
        if name.value == _MERGE:
            merged = merged or _found(key, inside)
    return merged


def _at(node: Any, file: str) -> At:
    return At(node.start_mark.line + 1, node.start_mark.column + 1, file)
