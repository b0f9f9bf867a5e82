"""References: how a definition says that a value comes from a step or from the flow input.

A template is JSON. A text in it that is a reference stands for the value it leads to; a text that
holds references in `${...}` is put together from theirs; everything else stands for itself.

    $nodes.charge           the output of step "charge"
    $nodes.charge.items.0   a part of it; [0] is the same as .0
    $input.customer         a part of the flow input
    $item.sku               a part of the item, where a subflow runs once for each
    Order ${$input.id}      a text with a value in it
    $$nodes                 the text $nodes

In the input of a trigger there is `$event` alone, what happened.

The params of a step are a template too, in which only what is well formed counts, and in which
`${secret:NAME}` stands for a secret.
"""

import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, Literal, cast

from dagster_pgflow.errors import InvalidReference
from dagster_pgflow.expressions.web_addresses import InsertedValue, address_of, place_behind
from dagster_pgflow.step_errors import ReferenceFailed

NODES: Final = "nodes"
INPUT: Final = "input"
ITEM: Final = "item"
EVENT: Final = "event"

Root = Literal["nodes", "input", "item", "event"]

ROOTS_OF_STEPS: Final = frozenset({NODES, INPUT, ITEM})
ROOTS_OF_TRIGGERS: Final = frozenset({EVENT})

_REFERENCE: Final = re.compile(
    r"\$(?P<root>nodes|input|item|event)(?P<path>(?:\.[^.\[\]{}$\s]+|\[\d+\])*)"
)
_EMBEDDED: Final = re.compile(r"\$\{([^}]*)\}")
_SECRET: Final = re.compile(r"secret:([A-Za-z_][A-Za-z0-9_]*)")
_STEP: Final = re.compile(r"(\s*\$nodes\.)([^.\[\]{}$\s]+)")
_MOST_KEYS_SHOWN: Final = 8
_NEEDS_EXPONENT: Final = 1e16
_MOST_DIGITS: Final = 18


@dataclass(frozen=True)
class Reference:
    """Where a value comes from.

    Attributes:
        root: The outputs of steps, the flow input, the item at hand, or the event.
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


def reference(text: str, roots: Collection[str] = ROOTS_OF_STEPS) -> Reference:
    """Read a reference.

    Raises:
        InvalidReference: The text is none, or begins with none of these roots.
    """
    found = _REFERENCE.fullmatch(text)
    if found is None or found["root"] not in roots:
        there = "$event" if EVENT in roots else "$nodes.<step>, $input or $item"
        raise InvalidReference(
            f"`{text}` is not a reference; write {there}, or a path below"
            f" {'it' if EVENT in roots else 'one of them'} (and $$ for a text that begins with $)."
        )
    path = tuple(part for part in re.split(r"[.\[\]]", found["path"]) if part)
    if found["root"] == NODES and not path:
        raise InvalidReference("`$nodes` needs the name of a step: $nodes.<step>.")
    return Reference(cast("Root", found["root"]), path)


def references_in(
    template: Any, path: str = "", roots: Collection[str] = ROOTS_OF_STEPS
) -> Iterator[tuple[str, Reference]]:
    """Yield every reference of a template with the place where it stands.

    Args:
        path: Where the template itself stands.
        roots: What a reference may begin with.

    Raises:
        InvalidReference: A text looks like a reference and is none.
    """
    for place, text in texts_in(template, path):
        for found in _reference_texts(text):
            yield place, reference(found, roots)


def well_formed_references_in(template: Any, path: str = "") -> Iterator[tuple[str, Reference]]:
    """Yield the references of a template in which other texts may look like some.

    Args:
        template: The params of a step.
        path: Where the template itself stands.
    """
    for place, text in texts_in(template, path):
        for found in _reference_texts(text):
            if _is_reference(found):
                yield place, reference(found)


def texts_in(template: Any, path: str = "") -> list[tuple[str, str]]:
    """Return every text of a template with its place."""
    found: list[tuple[str, str]] = []
    _changed(template, lambda text, place: found.append((place, text)), path)
    return found


def filled(
    template: Any, values: Mapping[str, Any], roots: Collection[str] = ROOTS_OF_STEPS
) -> Any:
    """Return the value that a template stands for.

    Args:
        template: The template; its references are well formed.
        values: `nodes`, the outputs of steps by slug, `input`, the flow input, and `item`.
        roots: What a reference may begin with.

    Raises:
        ReferenceFailed: A reference leads nowhere.
    """

    def replaced(text: str, _place: str) -> Any:
        match _form(text):
            case "escaped":
                return text[1:]
            case "reference":
                return _value_of(reference(text, roots), values)
            case "text":
                return _EMBEDDED.sub(
                    lambda found: _as_text(_value_of(reference(found[1].strip(), roots), values)),
                    text,
                )

    return _changed(template, replaced)


def params_filled(
    params: Mapping[str, Any],
    values: Mapping[str, Any],
    secret: Callable[[str], str],
    addresses: frozenset[str] = frozenset(),
    *,
    hosts_are_given: bool = False,
) -> dict[str, Any]:
    """Return the params of a step with values in place of the references and secrets in them.

    What is put in is never looked at again, so no value can ask for a secret.

    Args:
        params: The params; what only looks like a reference stands for itself.
        values: `nodes`, the outputs of steps by slug, `input`, the flow input, and `item`; those
            that there are.
        secret: Gives the secret of a name.
        addresses: The params that are web addresses.
        hosts_are_given: Whether values may lead these to other hosts.

    Raises:
        ReferenceFailed: A reference leads nowhere, or its value would lead an address to another
            host or path; the message begins with its place.
    """
    filling = _Filling(values, secret, addresses, hosts_are_given)

    def replaced(text: str, place: str) -> Any:
        try:
            return filling.made(text, place)
        except ReferenceFailed as error:
            raise ReferenceFailed(f"params.{place}: {error}") from None

    changed: dict[str, Any] = _changed(params, replaced)
    return changed


@dataclass(frozen=True)
class _Filling:
    """What is put into the params of a step; the attributes are those of `params_filled`."""

    values: Mapping[str, Any]
    secret: Callable[[str], str]
    addresses: frozenset[str]
    hosts_are_given: bool

    def made(self, text: str, place: str) -> Any:
        """Return what a text at a place of the params stands for."""
        match _form(text):
            case "escaped":
                return text[1:]
            case "reference":
                return self._referred_to(text, place) if _is_reference(text) else text
            case "text":
                return self._together(self._parts(text), place)

    def _referred_to(self, text: str, place: str) -> Any:
        value = _value_of(reference(text), self.values)
        return (
            self._together([InsertedValue(value, text)], place) if isinstance(value, str) else value
        )

    def _together(self, parts: Iterable[str | InsertedValue], place: str) -> str:
        if place in self.addresses:
            return address_of(parts, hosts_are_given=self.hosts_are_given)
        return "".join(part if isinstance(part, str) else part.text for part in parts)

    def _parts(self, text: str) -> Iterator[str | InsertedValue]:
        ends = 0
        for found in _EMBEDDED.finditer(text):
            inside = found[1].strip()
            yield text[ends : found.start()]
            if named := _SECRET.fullmatch(inside):
                yield self.secret(named[1])
            elif _is_reference(inside):
                yield InsertedValue(_as_text(_value_of(reference(inside), self.values)), inside)
            else:
                yield found[0]
            ends = found.end()
        yield text[ends:]


def leads_where_data_says(address: str) -> str | None:
    """Return the first reference of a web address that says which host it leads to, if any.

    Behind a secret that the address begins with, nobody knows before the run.

    Args:
        address: A param that is a web address.
    """
    if _form(address) == "reference":
        return address if _is_reference(address) else None
    for found in _EMBEDDED.finditer(address):
        inside, place = found[1].strip(), place_behind(address[: found.start()])
        if place not in ("beginning", "host") or _SECRET.fullmatch(inside):
            return None
        if _is_reference(inside):
            return inside
    return None


def is_filled_in(template: Any) -> bool:
    """Return whether a part of a step's params stands for something else than itself."""
    for _, text in texts_in(template):
        inside = _reference_texts(text)
        if _form(text) == "escaped" or any(_is_reference(found) for found in inside):
            return True
        if any(_SECRET.fullmatch(found) for found in inside):
            return True
    return False


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

    def replaced(text: str, _place: str) -> str:
        match _form(text):
            case "escaped":
                return text
            case "reference":
                return renamed(text)
            case "text":
                return _EMBEDDED.sub(lambda found: f"${{{renamed(found[1])}}}", text)

    return _changed(template, replaced)


def _changed(template: Any, change: Callable[[str, str], Any], path: str = "") -> Any:
    """Return a template with something else in place of each text, which comes with its place."""
    match template:
        case str():
            return change(template, path)
        case Mapping():
            return {
                key: _changed(value, change, f"{path}.{key}" if path else key)
                for key, value in template.items()
            }
        case list() | tuple():
            return [
                _changed(value, change, f"{path}[{index}]") for index, value in enumerate(template)
            ]
        case _:
            return template


def _form(text: str) -> Literal["escaped", "reference", "text"]:
    """Say how a text of a template is read."""
    if text.startswith("$$"):
        return "escaped"
    return "reference" if text.startswith("$") and not text.startswith("${") else "text"


def _reference_texts(text: str) -> list[str]:
    match _form(text):
        case "escaped":
            return []
        case "reference":
            return [text]
        case "text":
            return [found.strip() for found in _EMBEDDED.findall(text)]


def _is_reference(text: str) -> bool:
    found = _REFERENCE.fullmatch(text)
    if found is None or found["root"] not in ROOTS_OF_STEPS:
        return False
    return found["root"] != NODES or bool(found["path"])


def _value_of(wanted: Reference, values: Mapping[str, Any]) -> Any:
    if wanted.root not in values:
        raise ReferenceFailed(f"{wanted} leads nowhere: there is no ${wanted.root} here.")
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
    """Return a value as it stands in a text: the same before and after it was kept as jsonb."""
    if isinstance(value, str):
        return value
    return json.dumps(_as_jsonb_has_it(value), ensure_ascii=False, sort_keys=True)


def _as_jsonb_has_it(value: Any) -> Any:
    """Return a value with its numbers as jsonb has them: 1e22 has all its digits, zero no sign."""
    match value:
        case float():
            is_long = value.is_integer() and abs(value) >= _NEEDS_EXPONENT
            return int(Decimal(repr(value))) if is_long else value + 0.0
        case list():
            return [_as_jsonb_has_it(item) for item in value]
        case dict():
            return {key: _as_jsonb_has_it(item) for key, item in value.items()}
        case _:
            return value
