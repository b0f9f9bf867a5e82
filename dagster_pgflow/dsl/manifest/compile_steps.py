"""Drafts as steps: what each waits for, and the fields of its kind."""

from collections.abc import Iterator, Sequence
from typing import Any, assert_never

from dagster_pgflow.dsl.manifest.compile_drafts import ALWAYS, Draft, Drafts, Way
from dagster_pgflow.dsl.manifest.manifest import Manifest
from dagster_pgflow.expressions.tokens import tokens_of
from dagster_pgflow.model.graph import deps_first
from dagster_pgflow.model.steps import KINDS, Step
from dagster_pgflow.names import NAMES_KEY

PICK = "pgflow.pick"
_FIELDS_OF_WAYS = {"failure": "on_failure", "timeout": "on_timeout"}

Fields = dict[str, Any]


def steps_of(drafts: Drafts, manifest: Manifest) -> tuple[Step, ...]:
    """Return the steps that drafts become, each behind all that it waits for.

    Args:
        drafts: Drafts without cycles.
        manifest: Their manifest.
    """
    writer = _Writer(drafts, manifest)
    fields = {one["slug"]: one for draft in drafts for one in writer.fields_of(draft)}
    order = deps_first({slug: one["depends_on"] for slug, one in fields.items()})
    return tuple(KINDS[fields[slug]["type"]].model_validate(fields[slug]) for slug in order)


def asked_of_output(predicate: str) -> str:
    """Return a predicate over the data map behind a cell as a condition over the output of a step.

    >>> asked_of_output("data.n > 1 && other.data == 'data'")
    "output.n > 1 && other.data == 'data'"
    """
    return _with_root(predicate, "data", "output")


def asked_of_data(condition: str) -> str:
    """Return a condition over the output of a step as a predicate over the data map behind it."""
    return _with_root(condition, "output", "data")


def _with_root(text: str, old: str, new: str) -> str:
    written: list[str] = []
    before = ""
    for token in tokens_of(text):
        is_root = token.kind == "name" and token.text == old and before != "."
        written.append(new if is_root else token.text)
        before = before if token.kind == "blank" else token.text
    return "".join(written)


class _Writer:
    """Writes the fields of steps."""

    def __init__(self, drafts: Drafts, manifest: Manifest) -> None:
        self._drafts = drafts
        self._manifest = manifest
        self._sources = drafts.sources()

    def fields_of(self, draft: Draft) -> Iterator[Fields]:
        """Yield the fields of the steps that a draft becomes."""
        deps = [self._slug_behind(key, ways) for key, ways in self._sources[draft.key].items()]
        fields: Fields = {"slug": draft.slug, "description": draft.about, "depends_on": deps}
        merging = {"merge_input": True} if draft.merges else {}
        match draft.kind:
            case "work":
                yield fields | merging | draft.fields | self._decided(draft)
            case "fail":
                yield fields | merging | draft.fields | {"type": "single"}
            case "subflow" | "approval":
                yield fields | merging | draft.fields | {"type": draft.kind} | self._failing(draft)
            case "router":
                yield fields | merging | self._decided(draft)
            case "pick":
                picked = self._picked(draft, deps)
                yield fields | merging | picked | draft.fields | {"type": "single"}
            case "meeting":
                yield fields | merging | {"type": "join", "wait": "any"}
            case "loop":
                picked = self._picked(draft, deps) if draft.picks else {}
                yield fields | merging | picked | self._repeated(draft)
            case "join":
                yield from self._joined(draft, fields)
            case _:
                assert_never(draft.kind)

    def _slug_behind(self, key: str, ways: Sequence[Way]) -> str:
        """Return the step that something depends on which ways of a draft lead to."""
        draft = self._drafts[key]
        fails = all(way.kind in _FIELDS_OF_WAYS for way in ways)
        return draft.catching if fails and draft.catching else draft.slug

    def _slugs(self, ways: Sequence[Way]) -> list[str]:
        return [self._drafts[way.target].slug for way in ways]

    def _failing(self, draft: Draft) -> Fields:
        return {
            _FIELDS_OF_WAYS[way.kind]: self._drafts[way.target].slug
            for way in draft.ways
            if way.kind in _FIELDS_OF_WAYS
        }

    def _decided(self, draft: Draft) -> Fields:
        """Return the type of a step, and how it decides where the run goes on."""
        failing = self._failing(draft)
        if draft.repeated:
            return self._repeated(draft) | failing
        if not draft.decides:
            schemas = [way.schema for way in draft.routes if way.schema]
            checked = {"output_schema": schemas[0]} if schemas else {}
            return {"type": "single"} | (checked | draft.fields if schemas else {}) | failing
        rules: list[Fields] = []
        for way in draft.routes:
            if way.kind != "otherwise":
                rules.append(self._rule(way, [rule["when"] for rule in rules]))
        default = self._slugs([way for way in draft.routes if way.kind == "otherwise"])
        return {"type": "branch", "rules": rules, "default_path": default} | failing

    def _rule(self, way: Way, others: Sequence[str]) -> Fields:
        when = asked_of_output(way.when or ALWAYS)
        while when in others:
            # Another rule that never decides; no two of a branch have one text.
            when = f"({when})"
        rule: Fields = {"when": when, "then": self._slugs([way])}
        if way.label is not None:
            rule["label"] = way.label
        return rule | ({"output_schema": way.schema} if way.schema is not None else {})

    def _repeated(self, draft: Draft) -> Fields:
        repeated = draft.repeated
        assert repeated is not None  # noqa: S101
        return {
            "type": "loop",
            "back_to": self._drafts[repeated.header].slug,
            "condition": asked_of_output(repeated.condition),
            "max_iterations": repeated.passes,
            "break_path": self._slugs([way for way in draft.ways if way.kind == "route"]),
            "timeout_path": self._slugs([way for way in draft.ways if way.kind == "limit"]),
        }

    def _picked(self, draft: Draft, deps: Sequence[str]) -> Fields:
        paths = [".".join(path or deps[:1]) for path in draft.picks]
        return {"handler": PICK} | ({"params": {"of": paths}} if paths else {})

    # A join: its members on what arrived, what they returned, and both as one.

    def _joined(self, draft: Draft, fields: Fields) -> Iterator[Fields]:
        snapshot, failing = fields["depends_on"], self._failing(draft)
        sequential = draft.fields["is_sequential"]
        before: str | None = None
        for member in draft.members:
            deps = list(snapshot)
            if sequential and before is not None:
                gates = self._gates(member, snapshot[0], before, catches=bool(failing))
                yield from gates
                deps = [gates[-1]["slug"]]
            yield self._member(member, deps)
            before = member.slug
        members = [member.slug for member in draft.members]
        join: Fields = {"type": "join", "wait": "all"} | failing
        if "on_failure" in join:
            join["members"] = members
        merge = draft.fields["merge"]
        if merge is None:
            yield fields | join | {"depends_on": [*snapshot, *members], "merge_input": True}
            return
        yield from self._merged(draft, fields, join, merge)

    def _gates(self, member: Draft, snapshot: str, before: str, *, catches: bool) -> list[Fields]:
        """Return what keeps a member waiting for the one before it, and hands it the snapshot.

        Where failures are caught, it does not matter how the one before ends.
        """
        gate: Fields = {
            "slug": self._drafts.names.give(f"before_{member.slug}"),
            "description": f"`{member.slug}` waits for `{before}`, and works on the same data.",
            "depends_on": [snapshot, before],
        }
        pick = {"type": "single", "handler": PICK}
        if not catches:
            return [gate | pick | {"params": {"of": [snapshot]}}]
        behind = {
            "slug": self._drafts.names.give(f"{member.slug}_snapshot"),
            "description": f"The data that `{member.slug}` works on.",
            "depends_on": [gate["slug"]],
            "params": {"of": [f"{gate['slug']}.{snapshot}"]},
        }
        return [gate | {"type": "join", "wait": "any"}, behind | pick]

    def _member(self, member: Draft, deps: Sequence[str]) -> Fields:
        kind = "single" if member.kind == "work" else member.kind
        about = {"slug": member.slug, "description": member.about, "depends_on": deps}
        return about | {"type": kind, "merge_input": True} | member.fields

    def _merged(self, draft: Draft, fields: Fields, join: Fields, merge: str) -> Iterator[Fields]:
        give, slug = self._drafts.names.give, draft.slug
        snapshot, members = fields["depends_on"], [member.slug for member in draft.members]
        if "on_failure" in join:
            yield join | {
                "slug": draft.catching,
                "description": f"Sees to the failures of the cells of join `{slug}`.",
                "depends_on": [*snapshot, *members],
            }
        names = {one.slug: one.key for one in draft.members if one.slug != one.key}
        merged = give(f"{slug}_merge")
        yield {
            "type": "single",
            "slug": merged,
            "description": f"Merges what the cells of join `{slug}` returned.",
            "depends_on": members,
            "handler": merge,
            "params": {NAMES_KEY: names} if names else {},
        }
        yield fields | {
            "type": "join",
            "wait": "all",
            "depends_on": [*snapshot, merged],
            "merge_input": True,
        }
