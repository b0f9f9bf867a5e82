"""References: how a definition says that a value comes from a step or from the flow input.

A template is JSON. A text in it that is a reference stands for the value it leads to; a text that
holds references in `${...}` is put together from theirs; everything else stands for itself.

    $nodes.charge           the output of step "charge"
    $nodes.charge.items.0   a part of it; [0] is the same as .0
    $input.customer         a part of the flow input
    $item.sku               a part of the item, where a subflow runs once for each
    Order ${$input.id}      a text with a value in it
    $$nodes                 the text $nodes
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, cast

from dagster_pgflow.errors import InvalidReference, ReferenceFailed

NODES: Final = "nodes"
INPUT: Final = "input"
ITEM: Final = "item"

Root = Literal["nodes", "input", "item"]

_REFERENCE: Final = re.compile(
    r"\$(?P<root>nodes|input|item)(?P<path>(?:\.[^.\[\]{}$\s]+|\[\d+\])*)"
)
_EMBEDDED: Final = re.compile(r"\$\{([^}]*)\}")
_STEP: Final = re.compile(r"(\s*\$nodes\.)([^.\[\]{}$\s]+)")
_MOST_KEYS_SHOWN: Final = 8
_MOST_DIGITS: Final = 18


@dataclass(frozen=True)
class Reference:
    """Where a value comes from.

    Attributes:
        root: The outputs of steps, the flow input, or the item at hand.
        path: Keys and indexes below the root; below `nodes` the first one is the step.
    """

    root: Root
    path: tuple[str, ...]

    def __str__(self) -> str:
        return ".".join((f"${self.root}", *self.path))

    @property
    def step(self) -> str | None:
        """The step that it refers to, if any."""
        return self.path[0] if self.root == NODES else None


def reference(text: str) -> Reference:
    """Read a reference.

    Raises:
        InvalidReference: The text is none.
    """
    found = _REFERENCE.fullmatch(text)
    if found is None:
        raise InvalidReference(
            f"`{text}` is no reference; write $nodes.<step>, $input or $item, or a path below one"
            " of them (and $$ for a text that begins with $)."
        )
    path = tuple(part for part in re.split(r"[.\[\]]", found["path"]) if part)
    if found["root"] == NODES and not path:
        raise InvalidReference("`$nodes` needs the name of a step: $nodes.<step>.")
    return Reference(cast("Root", found["root"]), path)


def references_in(template: Any, path: str = "") -> Iterator[tuple[str, Reference]]:
    """Yield every reference of a template with the place where it stands.

    Args:
        template: The template.
        path: Where the template itself stands.

    Raises:
        InvalidReference: A text looks like a reference and is none.
    """
    match template:
        case str():
            for text in _reference_texts(template):
                yield path, reference(text)
        case Mapping():
            for key, value in template.items():
                yield from references_in(value, f"{path}.{key}" if path else key)
        case list() | tuple():
            for index, value in enumerate(template):
                yield from references_in(value, f"{path}[{index}]")


def filled(template: Any, values: Mapping[str, Any]) -> Any:
    """Return the value that a template stands for.

    Args:
        template: The template; its references are well formed.
        values: `nodes`, the outputs of steps by slug, `input`, the flow input, and `item`.

    Raises:
        ReferenceFailed: A reference leads nowhere.
    """
    match template:
        case str() if template.startswith("$$"):
            return template[1:]
        case str() if template.startswith("$") and not template.startswith("${"):
            return _value_of(reference(template), values)
        case str():
            return _EMBEDDED.sub(
                lambda found: _as_text(_value_of(reference(found[1].strip()), values)), template
            )
        case Mapping():
            return {key: filled(value, values) for key, value in template.items()}
        case list() | tuple():
            return [filled(value, values) for value in template]
        case _:
            return template


def with_steps_renamed(template: Any, names: Mapping[str, str]) -> Any:
    """Return a template in which steps have other names.

    Args:
        template: The template; texts that should be references and are none stay as they are.
        names: The new names by the old ones.

    >>> with_steps_renamed({"sum": "$nodes.cart.sum"}, {"cart": "shop_cart"})
    {'sum': '$nodes.shop_cart.sum'}
    """

    def renamed(text: str) -> str:
        found = _STEP.match(text)
        if found is None:
            return text
        return f"{found[1]}{names.get(found[2], found[2])}{text[found.end() :]}"

    match template:
        case str() if template.startswith("$$"):
            return template
        case str() if template.startswith("$") and not template.startswith("${"):
            return renamed(template)
        case str():
            return _EMBEDDED.sub(lambda found: f"${{{renamed(found[1])}}}", template)
        case Mapping():
            return {key: with_steps_renamed(value, names) for key, value in template.items()}
        case list() | tuple():
            return [with_steps_renamed(value, names) for value in template]
        case _:
            return template


def _reference_texts(text: str) -> list[str]:
    if text.startswith("$$"):
        return []
    if text.startswith("$") and not text.startswith("${"):
        return [text]
    return [found.strip() for found in _EMBEDDED.findall(text)]


def _value_of(wanted: Reference, values: Mapping[str, Any]) -> Any:
    value: Any = values[wanted.root]
    for depth, part in enumerate(wanted.path):
        match value:
            case Mapping() if part in value:
                value = value[part]
            case Sequence() if not isinstance(value, str) and _is_index(part, len(value)):
                value = value[int(part)]
            case _:
                reached = Reference(wanted.root, wanted.path[:depth])
                raise ReferenceFailed(f"{wanted} leads nowhere: {_what_is_there(reached, value)}.")
    return value


def _is_index(part: str, length: int) -> bool:
    # Python reads no number of thousands of digits, and no list is that long.
    return part.isdecimal() and len(part) <= _MOST_DIGITS and int(part) < length


def _what_is_there(reached: Reference, value: Any) -> str:
    if reached.root == NODES and not reached.path:
        return f"only these steps have an output here: {', '.join(value) or 'none'}"
    match value:
        case Mapping():
            keys = list(value)
            more = ", ..." if len(keys) > _MOST_KEYS_SHOWN else ""
            return f"{reached} has the keys {', '.join(keys[:_MOST_KEYS_SHOWN]) or '(none)'}{more}"
        case Sequence() if not isinstance(value, str):
            return f"{reached} is a list of {len(value)}"
        case _:
            return f"{reached} is {json.dumps(value, ensure_ascii=False)[:60]}"


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
