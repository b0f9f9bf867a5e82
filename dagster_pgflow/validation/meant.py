"""Which step or flow may be meant where a slug is none."""

from collections.abc import Collection
from typing import Final

from dagster_pgflow.errors import may_be_meant

MOST_COMPARED: Final = 300
"""Among how many slugs one is looked for: that takes some milliseconds, for each that is none."""


def meant_among(slug: str, slugs: Collection[str]) -> str:
    """Return what a sentence says about a slug that there is not: a near one, or nothing."""
    return may_be_meant(slug, slugs) if len(slugs) <= MOST_COMPARED else ""
