"""Steps on the way from a manifest to a flow: where each leads, not yet what each depends on.

A manifest says where ways lead, a flow says what steps wait for. In between there are drafts:
cells and joins, and what has to stand between them. Whoever changes where ways lead does it here,
so that what a step depends on is known only once, at the end.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from dagster_pgflow.dsl.manifest.compile_names import Names
from dagster_pgflow.model.steps.fields import JsonSchema

WayKind = Literal["route", "otherwise", "failure", "timeout", "limit"]
"""A way is taken by an edge, where no edge is, after a failure, after a timeout, or when a loop has
gone round too often."""

DraftKind = Literal[
    "work", "subflow", "approval", "router", "join", "loop", "pick", "meeting", "fail"
]
"""What a draft becomes: a step with the handler of a cell, one that runs a flow, one that asks a
person, one that decides on what it receives, a join with its members, a loop, a step that hands on
what it receives or a part of it, a join that waits for one of several ways, or a step that fails
the run."""

ALWAYS = "true"
"""The predicate that holds whatever the data is."""


@dataclass(frozen=True)
class Way:
    """A way on behind a step.

    Attributes:
        target: The key of the draft that it leads to.
        when: CEL over `data`, where an edge is taken by what that says; `None`: in any case.
        label: That of the edge.
        kind: When it is taken.
        schema: What the data must be when it is taken.
    """

    target: str
    when: str | None = None
    label: str | None = None
    kind: WayKind = "route"
    schema: JsonSchema | None = None


@dataclass(frozen=True)
class Repeated:
    """What a loop has besides its ways.

    Attributes:
        header: The key of the draft that it goes back to.
        condition: CEL; over `data` where a cell is the loop, else over what arrived in `deps`.
        passes: How often it goes round at most.
    """

    header: str
    condition: str
    passes: int


@dataclass
class Draft:
    """A step, or the steps of one join.

    Attributes:
        key: What other drafts call it.
        kind: What it becomes.
        slug: The slug of its step: of the last one, where there are several.
        about: What it is for.
        fields: Fields of the step that are known from the start.
        ways: The ways on behind it, in the order in which they are asked.
        within: The key of the loop that it lies in, the innermost one.
        repeated: What it repeats, where it is a loop.
        picks: The paths that it picks from; an empty one is what it depends on besides a loop.
        merges: Whether it receives one object; else `{dep: output}`.
        members: The members of a join.
        catching: The slug of the step that fails, where that is another one of a join.
        is_dead_end: Whether a run fails in it.
        base: What names of drafts begin with that stand here for it: the slug of a cell.
        may_vanish: Whether it is not needed where one way leads to it, whatever the data is.
    """

    key: str
    kind: DraftKind
    slug: str
    about: str = ""
    fields: dict[str, Any] = field(default_factory=dict)
    ways: list[Way] = field(default_factory=list)
    within: str | None = None
    repeated: Repeated | None = None
    picks: tuple[tuple[str, ...], ...] = ()
    merges: bool = True
    members: tuple["Draft", ...] = ()
    catching: str = ""
    is_dead_end: bool = False
    may_vanish: bool = False
    base: str = ""

    def __post_init__(self) -> None:
        self.base = self.base or self.slug

    @property
    def routes(self) -> list[Way]:
        """The ways that lead on when it did what it is there for."""
        return [way for way in self.ways if way.kind not in ("failure", "timeout")]

    @property
    def decides(self) -> bool:
        """Whether the data says which of its ways is taken."""
        routes = self.routes
        return len(routes) > 1 or any(way.when not in (None, ALWAYS) for way in routes)


@dataclass
class Drafts:
    """All drafts of a flow.

    Attributes:
        names: Gives names to those that are added.
        parents: For each loop the one that it lies in.
    """

    names: Names
    parents: dict[str, str | None] = field(default_factory=dict)
    _by_key: dict[str, Draft] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Draft]:
        return iter(tuple(self._by_key.values()))

    def __getitem__(self, key: str) -> Draft:
        return self._by_key[key]

    def has(self, key: str) -> bool:
        """Return whether there is a draft of a key."""
        return key in self._by_key

    def add(self, draft: Draft) -> Draft:
        """Add a draft, under a key of its own."""
        self._by_key[draft.key] = draft
        return draft

    def new(self, kind: DraftKind, wanted: str, **more: Any) -> Draft:
        """Add a draft that no cell stands for, under a name that reads like a wanted one."""
        slug = self.names.give(wanted)
        return self.add(Draft(f"generated {slug}", kind, slug, **more))

    def remove(self, key: str) -> None:
        """Remove a draft that nothing leads to."""
        del self._by_key[key]

    def around(self, key: str | None) -> Iterator[str]:
        """Yield the loops around what lies in a loop, the innermost one first."""
        while key is not None:
            yield key
            key = self.parents[key]

    def lies_in(self, draft: Draft, loop: str) -> bool:
        """Return whether a draft lies in a loop, or in one that lies in it."""
        return loop in self.around(draft.within)

    def sources(self) -> Mapping[str, dict[str, list[Way]]]:
        """Return for each draft the ways that lead to it, by the drafts that they leave."""
        found: dict[str, dict[str, list[Way]]] = {draft.key: {} for draft in self}
        for draft in self:
            for way in draft.ways:
                found[way.target].setdefault(draft.key, []).append(way)
        return found

    def redirect(self, draft: Draft, old: str, new: str, *kinds: WayKind) -> None:
        """Have the ways of a draft that lead to one place lead to another.

        Args:
            draft: The draft.
            old: Where they lead.
            new: Where they shall lead.
            kinds: Which ways; all of them when there are none.
        """
        draft.ways = [
            replace(way, target=new)
            if way.target == old and (not kinds or way.kind in kinds)
            else way
            for way in draft.ways
        ]
