"""JSON and YAML text as values: strictly, because a flow is easier to mend before it is stored."""

import json
from collections.abc import Iterable
from typing import Any, ClassVar

import yaml

from dagster_pgflow.dsl.unreadable import Unreadable


def read_json(text: str) -> Any:
    """Return the value that a JSON text stands for.

    Raises:
        Unreadable: It is no JSON, or has a key twice in one object.
    """
    try:
        return json.loads(text, object_pairs_hook=_object, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise Unreadable(place, f"This is no JSON: {error.msg}.") from error
    except RecursionError as error:
        raise Unreadable("$", "This JSON is nested too deeply.") from error


def read_yaml(text: str) -> list[Any]:
    """Return the values of the YAML documents in a text, empty documents left out.

    Raises:
        Unreadable: It is no YAML, has a key twice in one mapping, or a key that is no text.
    """
    try:
        documents = list(yaml.load_all(text, Loader=_Loader))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = "$" if mark is None else f"line {mark.line + 1}, column {mark.column + 1}"
        raise Unreadable(place, f"This is no YAML: {error.problem}.") from error
    except yaml.YAMLError as error:
        raise Unreadable("$", f"This is no YAML: {' '.join(str(error).split())}.") from error
    except RecursionError as error:
        raise Unreadable("$", "This YAML is nested too deeply.") from error
    return [document for document in documents if document is not None]


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    _refuse_duplicates((key, "$") for key, _ in pairs)
    return dict(pairs)


def _refuse_constant(constant: str) -> Any:
    raise Unreadable("$", f"{constant} is no JSON value; leave it out, or write null.")


def _refuse_duplicates(keys: Iterable[tuple[str, str]]) -> None:
    """Refuse a key that stands twice; keys come with their places."""
    seen: set[str] = set()
    for key, place in keys:
        if key in seen:
            raise Unreadable(place, f'The key "{key}" stands twice; remove or rename one.')
        seen.add(key)


def _mapping(loader: yaml.SafeLoader, node: yaml.MappingNode) -> dict[str, Any]:
    keys: list[tuple[str, str]] = []
    for key_node, _ in node.value:
        place = f"line {key_node.start_mark.line + 1}"
        # `<<` takes over another mapping, whose keys may be written again.
        if key_node.tag != "tag:yaml.org,2002:merge":
            key = loader.construct_object(key_node, deep=True)
            if not isinstance(key, str):
                raise Unreadable(place, f"The key {key!r} is no text; put it in quotes.")
            keys.append((key, place))
    _refuse_duplicates(keys)
    plain: dict[Any, Any] = loader.construct_mapping(node, deep=True)
    return plain


class _Loader(yaml.SafeLoader):
    """Reads YAML as the JSON that it stands for: a date is a text."""

    yaml_constructors: ClassVar[dict[Any, Any]] = {
        **yaml.SafeLoader.yaml_constructors,
        "tag:yaml.org,2002:map": _mapping,
        "tag:yaml.org,2002:timestamp": yaml.SafeLoader.construct_yaml_str,
    }
