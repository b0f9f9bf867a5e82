"""Where ways meet: what has to stand before a step that several ways lead to.

One of the ways is taken. A step that simply waited for all of their ends would stay behind where
they are not drawn as two sides of one branch, so a join that waits for any of them stands before
it. And what goes on after a failure receives that by itself.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

from dagster_pgflow.dsl.manifest.compile_drafts import Draft, Drafts, Way

_AFTER: Mapping[Literal["failure", "timeout"], str] = {
    "failure": "after_failure",
    "timeout": "after_timeout",
}
_TAKES_FAILURES = ("work", "subflow", "approval", "pick", "fail", "router")


def let_ways_meet(drafts: Drafts) -> None:
    """Put joins where ways meet, and leave out what no way needs."""
    for draft in drafts:
        if draft.kind != "loop":
            _receive_failures(drafts, draft)
    for draft in drafts:
        _meet(drafts, draft)
    for draft in drafts:
        _vanish(drafts, draft)


def _receive_failures(drafts: Drafts, draft: Draft) -> None:
    sources = drafts.sources()[draft.key]
    failing = {
        kind: [key for key, ways in sources.items() if any(way.kind == kind for way in ways)]
        for kind in _AFTER
    }
    others = [key for key, ways in sources.items() if any(w.kind not in _AFTER for w in ways)]
    kinds = [kind for kind, keys in failing.items() if keys]
    if not kinds or (len(kinds) == 1 and not others and draft.kind in _TAKES_FAILURES):
        return
    for kind in kinds:
        about = f"Here `{draft.slug}` is reached {_AFTER[kind].replace('_', ' a ')}."
        added = drafts.new("pick", f"{draft.slug}_{_AFTER[kind]}", about=about)
        added.within, added.ways = draft.within, [Way(draft.key)]
        for key in failing[kind]:
            drafts.redirect(drafts[key], draft.key, added.key, kind)


def _meet(drafts: Drafts, draft: Draft) -> None:
    if draft.kind in ("loop", "meeting"):
        return
    sources = drafts.sources()[draft.key]
    if len(sources) < 2 or all(w.kind in _AFTER for ways in sources.values() for w in ways):
        return
    if draft.may_vanish:
        draft.kind = "meeting"
        return
    about = f"Here the ways to `{draft.slug}` meet."
    added = drafts.new("meeting", f"before_{draft.slug}", about=about)
    added.within, added.ways = draft.within, [Way(draft.key)]
    for key in sources:
        drafts.redirect(drafts[key], draft.key, added.key)


def _vanish(drafts: Drafts, draft: Draft) -> None:
    """Leave a draft out that one way leads to, or let it hand on what arrives by that."""
    sources = drafts.sources()[draft.key]
    if len(sources) != 1 or draft.kind not in ("meeting", "pick"):
        return
    [(key, ways)] = sources.items()
    source = drafts[key]
    if draft.may_vanish and _leads_only_there(source, ways, draft) and not _is_begin(drafts, draft):
        source.ways = [
            ahead for way in source.ways for ahead in (draft.ways if way in ways else [way])
        ]
        drafts.remove(draft.key)
    else:
        draft.kind = "pick" if draft.kind == "meeting" and draft.merges else draft.kind


def _leads_only_there(source: Draft, ways: Sequence[Way], draft: Draft) -> bool:
    is_plain = len(ways) == 1 and ways[0].kind == "route" and not source.decides
    # What a failure step waits for is no final step.
    return (
        is_plain
        and source.kind != "loop"
        and source.repeated is None
        and (bool(draft.ways) or len(source.ways) == 1)
    )


def _is_begin(drafts: Drafts, draft: Draft) -> bool:
    return any(one.repeated and one.repeated.header == draft.key for one in drafts)
