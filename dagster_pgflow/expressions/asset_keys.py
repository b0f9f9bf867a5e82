"""Keys and partitions of assets, as definitions and handlers write them.

A key is text: its parts, with slashes between them. It may be a template: what stands in `${...}`
becomes a part or a piece of one, and never more, so no input leads to an asset that the author did
not mean. Only a key that is one reference is chosen as a whole by the value that it leads to.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from dagster_pgflow.expressions.references import Reference, filled, references_in
from dagster_pgflow.step_errors import ReferenceFailed

MOST_ASSETS: Final = 100
"""How many keys a field of a step may have."""

LONGEST: Final = 500
"""How many characters a key or a partition may have: Dagster's storage indexes both together."""

_CONTROL: Final = r"\x00-\x1f\x7f-\x9f\ud800-\udfff"
_KEY: Final = re.compile(rf"[^/{_CONTROL}]+(?:/[^/{_CONTROL}]+)*")
_PARTITION: Final = re.compile(rf"(?!.*\.\.\.)[^{_CONTROL}]+")
_EMBEDDED: Final = re.compile(r"\$\{[^}]*\}")

KEY_RULE: Final = (
    f"a key is parts with / between them, none of them empty, with up to {LONGEST} characters and"
    " no control characters"
)
PARTITION_RULE: Final = (
    f"a partition is a text of 1 to {LONGEST} characters, without control characters and ..."
)


def is_key(text: str) -> bool:
    """Return whether a text is the key of an asset.

    >>> is_key("raw/orders"), is_key("raw//orders"), is_key("")
    (True, False, False)
    """
    return len(text) <= LONGEST and _KEY.fullmatch(text) is not None


def is_partition(text: str) -> bool:
    """Return whether a text is a partition."""
    return len(text) <= LONGEST and _PARTITION.fullmatch(text) is not None


def can_be_key(template: str) -> bool:
    """Return whether a template can become the key of an asset, whatever its values are."""
    return len(template) <= LONGEST and is_key(_with_values(template))


def can_be_partition(template: str) -> bool:
    """Return whether a template can become a partition, whatever its values are."""
    return len(template) <= LONGEST and is_partition(_with_values(template))


def is_one_reference(template: str) -> bool:
    """Return whether a template is one reference: its value is the whole of it."""
    return template.startswith("$") and not template.startswith(("${", "$$"))


def static_key(template: str) -> str | None:
    """Return the key that a template is in every run; `None` where that depends on values.

    >>> static_key("raw/orders"), static_key("raw/${$input.region}")
    ('raw/orders', None)
    """
    text: str = "" if list(references_in(template)) else filled(template, {})
    return text if is_key(text) else None


def key_of(template: str, values: Mapping[str, Any]) -> str:
    """Return the key that a template stands for.

    Args:
        template: The template; its references are well formed.
        values: `nodes`, the outputs of steps by slug, `input`, the flow input, and `item`; those
            that there are.

    Raises:
        ReferenceFailed: A reference leads nowhere, or what it leads to makes no key.
    """
    for _, found in references_in(template):
        text = _text_of(found, values)
        if "/" in text and not is_one_reference(template):
            raise ReferenceFailed(
                f'the value "{_some(text)}" of {found} has a slash, and would lead to another'
                " asset; take it out, or let one reference be the whole key"
            )
    key = str(filled(template, values))
    if not is_key(key):
        raise ReferenceFailed(f'"{_some(key)}" is no key: {KEY_RULE}')
    return key


def partition_of(template: str, values: Mapping[str, Any]) -> str:
    """Return the partition that a template stands for; arguments and errors are those of a key."""
    for _, found in references_in(template):
        _text_of(found, values)
    partition = str(filled(template, values))
    if not is_partition(partition):
        raise ReferenceFailed(f'"{_some(partition)}" is no partition: {PARTITION_RULE}')
    return partition


def _with_values(template: str) -> str:
    if is_one_reference(template):
        return "x"
    return _EMBEDDED.sub("x", template.removeprefix("$") if template[:2] == "$$" else template)


def _text_of(found: Reference, values: Mapping[str, Any]) -> str:
    value = filled(str(found), values)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        kinds = {bool: "true or false", type(None): "null", dict: "an object", list: "a list"}
        raise ReferenceFailed(f"{found} is {kinds.get(type(value), 'no text')}, and no text")
    return str(value)


def _some(text: str) -> str:
    shown = text.encode("unicode_escape").decode() if not text.isprintable() else text
    return shown if len(shown) <= 60 else f"{shown[:60]}..."
