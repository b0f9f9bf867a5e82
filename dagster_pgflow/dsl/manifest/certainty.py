"""Which problems of a manifest hold whatever stands in the parts that could not be read."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from dagster_pgflow.dsl.manifest.gaps import UNNAMED, Gaps
from dagster_pgflow.dsl.manifest.manifest import Manifest
from dagster_pgflow.dsl.workflow.parts import path_of
from dagster_pgflow.errors import Problem

_OF_NAMES: Final = frozenset({"no-start", "unknown-cell", "unknown-target", "edge-into-join"})
_OF_WAYS: Final = frozenset(
    {"no-edges", "unreachable-cell", "no-way-to-end", "unreachable-on-error", "no-loop"}
)
_OF_LABELS: Final = frozenset({"needless-dispatch", "unknown-label", "no-timeout-edge", "no-edges"})
_OF_DECISIONS: Final = frozenset({"label-without-predicate"})
_OF_CELLS: Final = frozenset({"no-on-error", "label-without-predicate"})
_OF_MEMBERS: Final = frozenset(
    {
        "always-reachable",
        "empty-join",
        "key-written-twice",
        "missing-key",
        "must-follow",
        "must-precede",
        "never-together",
        "no-edges",
        "wrong-key-type",
    }
)
_WITH_LABELS: Final = ("edges", "dispatches", "transforms", "timeouts")


@dataclass(frozen=True)
class Certainty:
    """Tells what is wrong from what only looks so beside a gap.

    Attributes:
        gaps: What could not be read.
        manifest: What could be.
    """

    gaps: Gaps
    manifest: Manifest

    def of(self, problem: Problem) -> bool:
        """Return whether a problem holds whatever stands in the gaps."""
        code = problem.code
        if not self.gaps.places:
            return True
        if self.gaps.cover("cells", UNNAMED) and code in _OF_NAMES | _OF_WAYS:
            return False
        if self.gaps.touch("joins") and code in _OF_NAMES | _OF_WAYS | _OF_MEMBERS:
            return False
        if (self.gaps.touch("edges") or self.gaps.touch("error-groups")) and code in _OF_WAYS - {
            "no-edges"
        }:
            return False
        return not any(
            code in codes and _is_in(problem.path, places)
            for codes, places in self._uncertain.items()
        )

    @cached_property
    def _uncertain(self) -> Mapping[frozenset[str], frozenset[str]]:
        """Where problems of some kinds may not be any."""
        names = dict.fromkeys([*self.manifest.cells, *self.manifest.joins, *self.manifest.edges])
        names |= dict.fromkeys(self.manifest.dispatches)
        return {
            _OF_LABELS: frozenset(
                place
                for name in names
                if self.gaps.cover("edges", name, UNNAMED)
                for place in _places_of_labels(name)
            ),
            _OF_DECISIONS: frozenset(
                path_of(("edges", name))
                for name in names
                if self.gaps.touch("dispatches", name) or self.gaps.cover("timeouts", name)
            ),
            _OF_CELLS: frozenset(
                path_of((part, name))
                for name in names
                if self.gaps.cover("cells", name)
                or self.gaps.cover("cells", name, "id")
                or self.gaps.cover("cells", name, "flow")
                or self.gaps.cover("cells", name, "on-error")
                for part in ("cells", "edges")
            ),
        }


def _places_of_labels(name: str) -> Iterator[str]:
    for part in _WITH_LABELS:
        yield path_of((part, name))
    yield path_of(("cells", name, "schema", "output"))


def _is_in(path: str, places: frozenset[str]) -> bool:
    """Return whether a path is one of some places, or leads into one."""
    ends = [at for at, letter in enumerate(path) if letter in ".["]
    return path in places or any(path[:end] in places for end in ends)
