"""What of a manifest could not be read, so that nobody calls it missing."""

from dataclasses import dataclass, field
from typing import Final

from dagster_pgflow.dsl.workflow.parts import Place

UNNAMED: Final = ""
"""In place of a name that could not be read."""


@dataclass
class Gaps:
    """The parts of a manifest that are written, and that nothing is known of.

    Attributes:
        places: Where they stand.
    """

    places: set[Place] = field(default_factory=set)
    _around: set[Place] = field(default_factory=set)

    def leave(self, place: Place) -> None:
        """Note that what stands somewhere could not be read."""
        self.places.add(place)
        self._around.update(place[:end] for end in range(len(place)))

    def inside(self, place: Place) -> list[str]:
        """Return the names of the parts of a part that are gaps, in their order."""
        end = len(place)
        names = (gap[end] for gap in self.places if len(gap) == end + 1 and gap[:end] == place)
        return sorted(name for name in names if isinstance(name, str))

    def cover(self, *place: str | int) -> bool:
        """Return whether nothing is known of a part: it, or one around it, is a gap."""
        return any(place[:end] in self.places for end in range(len(place) + 1))

    def touch(self, *place: str | int) -> bool:
        """Return whether something is not known of a part: it is, has, or lies in a gap."""
        return place in self._around or self.cover(*place)
