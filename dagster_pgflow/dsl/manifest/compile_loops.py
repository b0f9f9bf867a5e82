"""Cycles as loops: what a loop repeats comes together in one step, which says whether to go on.

A flow leaves a loop by one step only, its last. So all ways that go round again and all that lead
out come together in it. Where a single cell closes and leaves a loop, that cell is this step.
Otherwise it is one of its own, and which way was taken shows in what arrived there. Inner loops
come first: for the loop around, each of them is one step then.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from dagster_pgflow.dsl.manifest.compile_drafts import ALWAYS, Draft, Drafts, Repeated, Way
from dagster_pgflow.dsl.manifest.compile_work import hooks
from dagster_pgflow.dsl.manifest.loops import Loops, ManifestLoop
from dagster_pgflow.dsl.manifest.manifest import Manifest


def close_loops(
    drafts: Drafts, manifest: Manifest, loops: Loops, fail: Callable[[str, str], Draft]
) -> None:
    """Make a loop of each cycle.

    Args:
        drafts: The drafts of the manifest.
        manifest: The manifest.
        loops: Its loops.
        fail: Adds a draft that fails the run with a sentence.
    """
    for loop in sorted(loops.loops.values(), key=lambda one: -one.depth):
        _Closing(drafts, manifest, loop, fail).close()


@dataclass(frozen=True)
class _Source:
    """What leads to the end of a loop.

    Attributes:
        key: The draft.
        ways: The ways that the run goes on with, where it leads out.
    """

    key: str
    ways: tuple[Way, ...] = ()


class _Closing:
    """Closes one loop."""

    def __init__(
        self,
        drafts: Drafts,
        manifest: Manifest,
        loop: ManifestLoop,
        fail: Callable[[str, str], Draft],
    ) -> None:
        self._drafts = drafts
        self._manifest = manifest
        self._name = loop.header
        self._parent = loop.parent
        self._loop = loop
        self._fail = fail
        self._apart: dict[str, str] = {}
        entry = f"before {loop.header}"
        self._header = entry if drafts.has(entry) else loop.header

    def close(self) -> None:
        """Put the end of the loop behind its body, and what comes then behind that."""
        self._put_failures_outside()
        closing = [draft for draft in self._body() if any(map(self._ends, draft.ways))]
        ends = [draft for draft in self._body() if draft.is_dead_end and not draft.ways]
        if not ends and self._closes_alone(closing):
            self._close_with(closing[0])
            return
        again, out = self._sources(closing)
        if len(again) == len(out) == 1 and not ends and out[0].key == self._apart.get(again[0].key):
            self._close_behind(again[0], out[0])
        else:
            self._close_by_name(again, out, ends)

    # What ends a pass.

    def _body(self) -> list[Draft]:
        return [draft for draft in self._drafts if self._drafts.lies_in(draft, self._name)]

    def _is_again(self, way: Way) -> bool:
        return way.target == self._header

    def _is_out(self, way: Way) -> bool:
        return not self._drafts.lies_in(self._drafts[way.target], self._name)

    def _ends(self, way: Way) -> bool:
        return self._is_again(way) or self._is_out(way)

    def _put_failures_outside(self) -> None:
        """Let a run fail behind the loop where what decides that can leave the loop anyhow."""
        failing = {
            draft.key
            for draft in self._body()
            if draft.kind == "fail" and draft.within == self._name
        }
        closing = {
            draft.key
            for draft in self._body()
            if any(self._ends(way) or way.target in failing for way in draft.ways)
        }
        sources = self._drafts.sources()
        for key in failing:
            leading = [self._drafts[source] for source in sources[key]]
            if all(self._decides_to_leave(one, failing, len(closing) == 1) for one in leading):
                self._drafts[key].within = self._parent

    def _decides_to_leave(self, draft: Draft, failing: set[str], is_only: bool) -> bool:  # noqa: FBT001
        if draft.kind not in ("work", "router") or draft.repeated is not None:
            return False
        if any(way.target in failing and way.kind in ("failure", "timeout") for way in draft.ways):
            return False
        return is_only or any(self._is_out(way) for way in draft.routes)

    # A cell that closes and leaves the loop by itself.

    def _closes_alone(self, closing: Sequence[Draft]) -> bool:
        if len(closing) != 1:
            return False
        draft = closing[0]
        again = [self._is_again(way) for way in draft.ways]
        return (
            draft.kind == "work"
            and draft.repeated is None
            and all(map(self._ends, draft.ways))
            and all(way.kind in ("route", "otherwise") for way in draft.ways)
            and not any(way.schema for way in draft.ways if self._is_again(way))
            # Asked out of turn, a predicate without an answer would count for another.
            and again == sorted(again, reverse=True)
        )

    def _close_with(self, draft: Draft) -> None:
        again = [way for way in draft.ways if self._is_again(way)]
        out = [way for way in draft.ways if not self._is_again(way)]
        asked = dict.fromkeys(way.when or ALWAYS for way in again)
        condition = " || ".join(f"({when})" if len(asked) > 1 else when for when in asked)
        self._repeat(draft, condition)
        draft.ways = []
        self._lead_out(draft, [_Source(draft.key, tuple(out))])

    # All other loops.

    def _sources(self, closing: Iterable[Draft]) -> tuple[list[_Source], list[_Source]]:
        """Return what ends a pass and goes round again, and what leads out: no draft is in both."""
        again: list[_Source] = []
        out: list[_Source] = []
        for draft in closing:
            for way in tuple(draft.ways):
                if way.kind in ("failure", "timeout") and self._ends(way):
                    added = self._after_failure(draft, way)
                    source = _Source(added.key, () if self._is_again(way) else (Way(way.target),))
                    (again if self._is_again(way) else out).append(source)
            routes = draft.routes
            leaving = tuple(way for way in routes if self._is_out(way))
            back = [way for way in routes if self._is_again(way)]
            if back:
                again.append(_Source(draft.key))
            if leaving:
                key = self._leave_apart(draft, leaving).key if back else draft.key
                out.append(_Source(key, leaving))
        return again, out

    def _after_failure(self, draft: Draft, way: Way) -> Draft:
        words = {"failure": "failed", "timeout": "timed_out"}
        said = {"failure": "failed", "timeout": "took too long"}
        added = self._drafts.new(
            "pick",
            f"{draft.base}_{words[way.kind]}",
            about=f"Here the run goes on when `{draft.slug}` {said[way.kind]}.",
            base=draft.base,
            within=draft.within,
        )
        draft.ways = [replace(one, target=added.key) if one is way else one for one in draft.ways]
        return added

    def _leave_apart(self, draft: Draft, leaving: Sequence[Way]) -> Draft:
        added = self._drafts.new(
            "pick",
            f"{draft.base}_leaves",
            about=f"Here the run leaves the loop behind `{draft.slug}`.",
            base=draft.base,
            within=draft.within,
        )
        draft.ways = [
            replace(one, target=added.key) if one in leaving else one for one in draft.ways
        ]
        self._apart[draft.key] = added.key
        return added

    def _close_behind(self, again: _Source, out: _Source) -> None:
        """Close a loop behind the only step that goes round again and leads out."""
        loop = self._new_loop()
        self._arrive(again.key, loop.key)
        self._drafts[out.key].ways = [Way(loop.key)]
        self._repeat(loop, f'!("{self._drafts[out.key].slug}" in deps)')
        self._lead_out(loop, [out])

    def _close_by_name(
        self, again: Sequence[_Source], out: Sequence[_Source], ends: Sequence[Draft]
    ) -> None:
        """Close a loop behind a step that holds what arrived under the name of where it was."""
        loop = self._new_loop()
        sources = [one.key for one in (*again, *out)]
        if len(sources) + len(ends) == 1:
            self._arrive(sources[0], loop.key)
            self._repeat(loop, ALWAYS if again else "false")
            self._lead_out(loop, out)
            return
        slug = self._drafts[self._name].slug
        about = f"Here a pass of the loop of `{slug}` ends, whichever way it took."
        gate = self._drafts.new("meeting", f"{slug}_pass", about=about, within=self._name)
        gate.merges, gate.ways = False, [Way(loop.key)]
        for key in sources:
            self._arrive(key, gate.key)
        for draft in ends:
            draft.ways.append(Way(gate.key))
        loop.merges = False
        if len(out) < 2:
            loop.picks = tuple((gate.slug, self._drafts[key].slug) for key in sources)
        held = " || ".join(f'"{self._drafts[one.key].slug}" in deps.{gate.slug}' for one in again)
        self._repeat(loop, held or "false")
        self._lead_out(
            loop, out, by_name=len(out) > 1, names=[self._drafts[one.key].slug for one in again]
        )

    def _new_loop(self) -> Draft:
        slug = self._drafts[self._name].slug
        about = f"Here the loop of `{slug}` goes round again, or is left."
        return self._drafts.new("loop", f"{slug}_again", about=about, within=self._name)

    def _arrive(self, key: str, at: str) -> None:
        """Have all ways of a draft that end a pass lead to the end of the loop."""
        draft = self._drafts[key]
        if not draft.ways:
            draft.ways = [Way(at)]
        draft.ways = [
            replace(way, target=at)
            if self._ends(way) and way.kind not in ("failure", "timeout")
            else way
            for way in draft.ways
        ]

    def _repeat(self, draft: Draft, condition: str) -> None:
        draft.repeated = Repeated(self._header, condition, self._passes)

    @property
    def _passes(self) -> int:
        said = [
            self._manifest.max_passes_of[edge.source, edge.label]
            for edge in self._loop.back_edges
            if edge.label is not None and (edge.source, edge.label) in self._manifest.max_passes_of
        ]
        return min(said, default=self._manifest.max_passes)

    # What comes behind the loop.

    def _lead_out(
        self,
        loop: Draft,
        out: Sequence[_Source],
        *,
        by_name: bool = False,
        names: Sequence[str] = (),
    ) -> None:
        if by_name:
            loop.ways.append(Way(self._told_apart(loop, out).key))
        elif out:
            loop.ways.append(Way(self._ahead(self._drafts[out[0].key].base, out[0].ways)))
        slug = self._drafts[self._name].slug
        message = (
            f'The loop that begins with cell "{slug}" went round {self._passes} times and'
            " would go on; let it end, or raise its max-passes."
        )
        limit = self._fail(f"{slug}_too_often", message)
        limit.within = self._parent
        limit.about = f"Here the run ends when the loop of `{slug}` has gone round too often."
        loop.ways.append(Way(limit.key, kind="limit"))
        if by_name or not self._only_grows:
            self._begin_again(loop, [(loop.slug, name) for name in names] if by_name else [])

    def _ahead(self, base: str, ways: Sequence[Way]) -> str:
        """Return what the run goes on with where one of some ways was taken."""
        if len(ways) == 1:
            return ways[0].target
        about = f"Decides where the run goes on that left a loop behind `{base}`."
        router = self._drafts.new(
            "router", f"{base}_ways_out", about=about, within=self._parent, base=base
        )
        router.ways = list(ways)
        return router.key

    def _told_apart(self, loop: Draft, out: Sequence[_Source]) -> Draft:
        about = f"Tells by which step the run left the loop that `{loop.slug}` ends."
        router = self._drafts.new(
            "router", f"{loop.slug}_left_by", about=about, within=self._parent
        )
        router.merges = False
        for source in out:
            slug, base = self._drafts[source.key].slug, self._drafts[source.key].base
            picked = self._drafts.new(
                "pick",
                f"left_by_{base}",
                about=f"The data with which the run left a loop behind `{base}`.",
                within=self._parent,
                base=base,
            )
            picked.merges, picked.picks = False, ((router.slug, slug),)
            picked.ways = [Way(self._ahead(base, source.ways))]
            router.ways.append(Way(picked.key, f'"{slug}" in data'))
        return router

    @property
    def _only_grows(self) -> bool:
        """Whether what a pass began with is part of what it ends with, but for newer values."""
        manifest = self._manifest
        by_label = any(one.outputs for one in manifest.transforms.values())
        hooked = any(hooks(manifest, cell) for cell in manifest.cells)
        return manifest.propagate_keys and not by_label and not hooked

    def _begin_again(self, loop: Draft, names: Sequence[tuple[str, ...]]) -> None:
        """Put a step before the loop that takes either what came first, or the last pass."""
        slug = self._drafts[self._name].slug
        about = f"What a pass of the loop of `{slug}` begins with."
        first = self._drafts.new("pick", f"{slug}_begins", about=about, within=self._name)
        outside = [draft for draft in self._drafts if not self._drafts.lies_in(draft, self._name)]
        is_entered = False
        for draft in outside:
            is_entered |= any(way.target == self._header for way in draft.ways)
            self._drafts.redirect(draft, self._header, first.key)
        if not is_entered:
            about = "The data that the run begins with."
            begin = self._drafts.new("pick", "begin", about=about, within=self._parent)
            begin.ways = [Way(first.key)]
        first.merges = False
        first.picks = (*(names or [(loop.slug,)]), ())
        first.ways = [Way(self._header)]
        assert loop.repeated is not None  # noqa: S101
        loop.repeated = replace(loop.repeated, header=first.key)
