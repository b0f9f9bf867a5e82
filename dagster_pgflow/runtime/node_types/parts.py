"""Parts of what a step receives, by keys with dots between them."""

from collections.abc import Iterable, Iterator
from typing import Any


def values_at(value: Any, paths: Iterable[str]) -> Iterator[Any]:
    """Yield the values that paths lead to, without those that lead nowhere.

    Args:
        value: What the step receives.
        paths: Such as `cart.lines`.
    """
    for path in paths:
        found, is_there = value, True
        for key in path.split("."):
            is_there = isinstance(found, dict) and key in found
            if not is_there:
                break
            found = found[key]
        if is_there:
            yield found
