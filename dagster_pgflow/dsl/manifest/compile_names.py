"""What the steps of a manifest are called: after their cells, or after what they are there for."""

import re
from collections.abc import Iterable, Iterator
from typing import Final

from dagster_pgflow.errors import Problem
from dagster_pgflow.names import is_valid_slug

LONGEST: Final = 128
_NO_SLUG: Final = re.compile(r"[^a-zA-Z0-9_]")


def slug_of_name(name: str) -> str:
    """Return the slug that reads like the name of a manifest or of a cell.

    >>> slug_of_name("validate-card"), slug_of_name("order/placed?"), slug_of_name("2nd")
    ('validate_card', 'order_placed_', '_2nd')
    """
    slug = _NO_SLUG.sub("_", name)
    if slug[:1].isdigit():
        slug = f"_{slug}"
    return "run_" if slug == "run" else slug


def problems_of_names(names: Iterable[str], path: str) -> Iterator[Problem]:
    """Yield which names become no slug, and which become one that another has.

    Args:
        names: Those of cells and joins.
        path: Where they stand.
    """
    first: dict[str, str] = {}
    for name in names:
        slug = slug_of_name(name)
        if not is_valid_slug(slug):
            yield Problem(
                "invalid-cell-name",
                f"{path}.{name}",
                f'"{name}" is no name for a cell: it must have 1 to {LONGEST} characters.',
            )
        elif first.setdefault(slug, name) != name:
            yield Problem(
                "cell-names-collide",
                f"{path}.{name}",
                f'Cells "{first[slug]}" and "{name}" would both be step "{slug}"; rename one.',
            )


class Names:
    """Gives names to steps, each of them once.

    Args:
        taken: Those that cells and joins have.
    """

    def __init__(self, taken: Iterable[str]) -> None:
        self._taken = dict.fromkeys(taken)

    def give(self, wanted: str) -> str:
        """Return a name that no step has yet: the wanted one, or that with a number behind it."""
        number, name = 1, wanted[:LONGEST]
        while name in self._taken:
            number += 1
            end = f"_{number}"
            name = wanted[: LONGEST - len(end)] + end
        self._taken[name] = None
        return name
