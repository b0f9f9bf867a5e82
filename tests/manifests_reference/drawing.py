"""Random manifests: cells, edges, dispatches, joins, loops that lie in each other, fragments.

A manifest is drawn from its end to its beginning: each part is given what comes behind it, and
gives the cell that it begins with. So all ways lead on, and loops lie in each other or beside.
"""

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from hypothesis import strategies as st

from dagster_pgflow.dsl.manifest.manifest import (
    DEFAULT,
    ENTRY,
    UNLABELLED,
    Cell,
    Dispatch,
    ErrorGroup,
    Interceptor,
    InterceptorScope,
    Join,
    Manifest,
    Strategy,
    Transform,
    Transforms,
)
from tests.manifests_reference import predicates
from tests.manifests_reference.doings import HOOKS, MERGE, WORK
from tests.manifests_reference.predicates import Predicate

KEYS = ("a", "b", "c-d")
VALUES: st.SearchStrategy[Any] = st.sampled_from([0, 1, 2, "x", True, False, None])
INPUTS = st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=3)
DEEPEST = 3

Trouble = Literal["failures", "hooks"]
"""What manifests can be drawn without: ways that failures take, handlers around handlers."""


@dataclass(frozen=True)
class DrawnFragment:
    """Cells that stand in a fragment of their own.

    Attributes:
        name: What it is called in the host.
        entry: Its first cell, by its name in the host; in the fragment it is called `ENTRY_INSIDE`.
        cells: All of its cells.
    """

    name: str
    entry: str
    cells: tuple[str, ...]


@dataclass
class Drawn:
    """A manifest and all that belongs to it.

    Attributes:
        manifest: The manifest, flat.
        predicates: What its dispatches and those of its children ask, by their CEL.
        children: The manifests that its cells run, by slug.
        fragments: Which of its cells stand in fragments where it is written down.
        inputs: What to start it with.
    """

    manifest: Manifest
    predicates: dict[str, Predicate] = field(default_factory=dict)
    children: dict[str, "Drawn"] = field(default_factory=dict)
    fragments: list[DrawnFragment] = field(default_factory=list)
    inputs: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class _Drawing:
    """A manifest on its way."""

    draw: st.DrawFn
    id: str
    depth: int
    without: frozenset[Trouble] = frozenset()
    cells: dict[str, Cell] = field(default_factory=dict)
    edges: dict[str, dict[str, str]] = field(default_factory=dict)
    dispatches: dict[str, tuple[Dispatch, ...]] = field(default_factory=dict)
    joins: dict[str, Join] = field(default_factory=dict)
    timeouts: dict[str, int] = field(default_factory=dict)
    max_passes_of: dict[tuple[str, str], int] = field(default_factory=dict)
    predicates: dict[str, Predicate] = field(default_factory=dict)
    children: dict[str, Drawn] = field(default_factory=dict)
    fragments: list[DrawnFragment] = field(default_factory=list)
    plain: list[str] = field(default_factory=list)
    in_fragment: bool = False

    # Names and small things.

    def name(self, kind: str = "c") -> str:
        """A name that no cell or join has; some are no slugs."""
        number = len(self.cells) + len(self.joins)
        return self.draw(st.sampled_from([f"{kind}{number}", f"{kind}-{number}"]))

    def chance(self, of: int) -> bool:
        return self.draw(st.integers(0, of - 1)) == of - 1

    def does(self) -> list[list[Any]]:
        key = st.sampled_from(KEYS)
        doing = st.one_of(
            st.tuples(st.just("set"), key, VALUES),
            st.tuples(st.just("count"), st.just("n")),
            st.tuples(st.just("copy"), key, key),
        )
        return [list(one) for one in self.draw(st.lists(doing, max_size=2))]

    def predicate(self) -> str:
        key = st.sampled_from(KEYS)
        value = st.sampled_from([0, 1, "x", True])
        simple = st.one_of(
            key.map(predicates.truth),
            st.builds(predicates.equals, key, value),
            key.map(predicates.is_missing),
            key.map(lambda one: predicates.one_of(one, (1, "x"))),
            st.integers(1, 3).map(lambda most: predicates.below("n", most)),
        )
        drawn = self.draw(
            simple
            | simple.map(predicates.inverted)
            | st.builds(predicates.either, simple, simple)
            | st.builds(predicates.both, simple, simple)
        )
        return self.known(drawn)

    def known(self, predicate: Predicate) -> str:
        self.predicates[predicate.cel] = predicate
        return predicate.cel

    # Parts: each leads to what is behind it, and gives what it begins with.

    def cell(self, behind: str, does: list[list[Any]] | None = None, name: str = "") -> str:
        name = name or self.name()
        does = self.does() if does is None else does
        if self.chance(8):
            key = self.draw(st.sampled_from(KEYS))
            does = [*does, ["fail_if", key, f"boom{len(self.cells)}"]]
        self.cells[name] = Cell(WORK, params={"does": does})
        self.edges[name] = {UNLABELLED: behind}
        self.plain.append(name)
        return name

    def part(self, behind: str, depth: int) -> str:
        kinds = ["cell", "cell", "row", "branch", "loop"]
        if not self.in_fragment:
            kinds += ["join", "fragment"] + (["child"] if self.depth == 0 else [])
            kinds += [] if "failures" in self.without else ["late"]
        kind = self.draw(st.sampled_from(kinds)) if depth < DEEPEST else "cell"
        made: str = getattr(self, f"_{kind}")(behind, depth + 1)
        return made

    def _cell(self, behind: str, _depth: int) -> str:
        return self.cell(behind)

    def _row(self, behind: str, depth: int) -> str:
        return self.part(self.part(behind, depth), depth)

    def _branch(self, behind: str, depth: int) -> str:
        labels = ["yes", "no", "other"][: self.draw(st.integers(1, 3))]
        edges = {label: self._arm(behind, depth) for label in labels}
        asked = tuple(Dispatch(label, self.predicate()) for label in labels)
        if not self.chance(5):
            edges[DEFAULT] = self._arm(behind, depth)
        name = self.cell(behind)
        self.edges[name], self.dispatches[name] = edges, asked
        return name

    def _arm(self, behind: str, depth: int) -> str:
        match self.draw(st.integers(0, 9)):
            case 0:
                return self.draw(st.sampled_from(["end", "error"]))
            case 1 | 2 | 3:
                return behind
            case _:
                return self.part(behind, depth)

    def _loop(self, behind: str, depth: int) -> str:
        key = f"n{len(self.cells)}"
        last = self.cell(behind, [["count", key], *self.does()])
        begins = self.part(last, depth) if self.chance(2) else last
        again = self.known(predicates.below(key, self.draw(st.integers(1, 3))))
        edges = {"again": begins, "done": behind}
        asked = [Dispatch("again", again)]
        if self.chance(3):
            edges["out"] = (
                self.draw(st.sampled_from(["end", "error"]))
                if self.in_fragment
                else (self._arm(behind, depth))
            )
            asked.insert(self.draw(st.integers(0, 1)), Dispatch("out", self.predicate()))
        if self.chance(2):
            edges[DEFAULT] = edges.pop("done")
        else:
            asked.append(Dispatch("done", "true"))
        self.edges[last], self.dispatches[last] = edges, tuple(asked)
        if self.chance(3):
            self.max_passes_of[last, "again"] = self.draw(st.integers(1, 4))
        return begins

    def _join(self, behind: str, depth: int) -> str:
        members = []
        for _ in range(self.draw(st.integers(2, 3))):
            member = self.cell(behind)
            del self.edges[member]
            self.plain.remove(member)
            members.append(member)
        name = self.name("j")
        strategies: st.SearchStrategy[Strategy] = st.sampled_from(["parallel", "sequential"])
        strategy = self.draw(strategies)
        merge = self.draw(st.sampled_from([None, MERGE]))
        self.joins[name] = Join(tuple(members), strategy, merge)
        self.edges[name] = {"done": behind}
        if "failures" not in self.without and self.chance(2):
            self.edges[name]["failure"] = self._arm(behind, depth)
        return name

    def _late(self, behind: str, depth: int) -> str:
        key = self.draw(st.sampled_from(KEYS))
        name = self.cell(behind, [*self.does(), ["late_if", key]])
        self.edges[name] = {"timeout": self._arm(behind, depth), DEFAULT: behind}
        self.timeouts[name] = 1000
        return name

    def _fragment(self, behind: str, depth: int) -> str:
        before = set(self.cells)
        self.in_fragment = True
        entry = self.part(behind, depth)
        self.in_fragment = False
        cells = tuple(cell for cell in self.cells if cell not in before)
        self.fragments.append(DrawnFragment(f"f{len(self.fragments)}", entry, cells))
        return entry

    def _child(self, behind: str, depth: int) -> str:
        id = f"{self.id}_child{len(self.children)}"
        child = self.draw(drawn_manifests(id, self.depth + 1, self.without))
        self.children[child.manifest.id] = child
        name = self.cell(behind)
        self.plain.remove(name)
        self.cells[name] = Cell(child.manifest.id, flow=child.manifest.id)
        self.edges[name] = {"success": behind, "failure": self._arm(behind, depth)}
        return name

    # The whole.

    def whole(self) -> Manifest:
        last = self.cell("end") if self.chance(2) else "end"
        first = last
        for _ in range(self.draw(st.integers(1, 3 if self.depth == 0 else 1))):
            first = self.part(first, 0)
        if first in self.joins or self.chance(2) or first in ("end", "error"):
            first = self.cell(first, name=ENTRY)
        else:
            self._call_entry(first)
        groups = self._groups()
        return Manifest(
            self.id,
            self.cells,
            self.edges,
            dispatches=self.dispatches,
            joins=self.joins,
            error_groups=groups,
            timeouts=self.timeouts,
            interceptors=self._interceptors(),
            transforms=self._transforms(),
            max_passes=self.draw(st.sampled_from([100, 2, 3, 4])),
            max_passes_of=self.max_passes_of,
            propagate_keys=not self.chance(6),
        )

    def _call_entry(self, first: str) -> None:
        """Have the cell that a manifest begins with be called as such."""

        def renamed(name: str) -> str:
            return ENTRY if name == first else name

        self.cells = {renamed(name): cell for name, cell in self.cells.items()}
        self.edges = {
            renamed(name): {label: renamed(to) for label, to in edges.items()}
            for name, edges in self.edges.items()
        }
        self.dispatches = {renamed(name): asked for name, asked in self.dispatches.items()}
        self.timeouts = {renamed(name): most for name, most in self.timeouts.items()}
        self.max_passes_of = {(renamed(at), by): n for (at, by), n in self.max_passes_of.items()}
        self.plain = [renamed(name) for name in self.plain]
        self.fragments = [
            replace(one, entry=renamed(one.entry), cells=tuple(map(renamed, one.cells)))
            for one in self.fragments
        ]

    def _groups(self) -> dict[str, ErrorGroup]:
        if "failures" in self.without or not self.plain or not self.chance(2):
            return {}
        cells = self.draw(
            st.lists(st.sampled_from(self.plain), min_size=1, max_size=4, unique=True)
        )
        target = self.draw(st.sampled_from(["cell", "cell", "error"]))
        if target == "cell":
            target = self.cell(self.draw(st.sampled_from(["end", "error"])), name="rescue")
        return {"group": ErrorGroup(tuple(cells), target)}

    def _interceptors(self) -> tuple[Interceptor, ...]:
        if "hooks" in self.without or not self.chance(4):
            return ()
        hook = st.none() | st.sampled_from(HOOKS)
        scopes = (
            st.just(InterceptorScope())
            | st.just(InterceptorScope(id_match="wo*"))
            | st.just(InterceptorScope(id_match="x*"))
        )
        scopes |= st.lists(
            st.sampled_from(sorted(self.cells)), min_size=1, max_size=2, unique=True
        ).map(lambda cells: InterceptorScope(cells=tuple(cells)))
        found = []
        for index in range(self.draw(st.integers(1, 2))):
            pre, post = self.draw(hook), self.draw(hook)
            if pre or post:
                found.append(Interceptor(f"i{index}", self.draw(scopes), pre, post))
        return tuple(found)

    def _transforms(self) -> dict[str, Transforms]:
        if "hooks" in self.without or not self.chance(4):
            return {}
        name = self.draw(st.sampled_from(sorted(self.cells)))
        one = st.sampled_from(HOOKS).map(Transform)
        made = Transforms(self.draw(st.none() | one), self.draw(st.none() | one))
        return {} if made == Transforms() else {name: made}


@st.composite
def drawn_manifests(
    draw: st.DrawFn, id: str = "m", depth: int = 0, without: Collection[Trouble] = ()
) -> Drawn:
    """Sound manifests, with inputs to start them with."""
    drawing = _Drawing(draw, id, depth, frozenset(without))
    manifest = drawing.whole()
    known = dict(drawing.predicates)
    for child in drawing.children.values():
        known |= child.predicates
    inputs = draw(st.lists(INPUTS, min_size=1, max_size=2)) if depth == 0 else []
    return Drawn(manifest, known, drawing.children, drawing.fragments, inputs)
