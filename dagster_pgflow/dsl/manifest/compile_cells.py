"""Cells and joins as drafts, each leading where its edges do; loops are still cycles here."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any, Final

from dagster_pgflow.dsl.manifest.compile_drafts import (
    ALWAYS,
    Draft,
    DraftKind,
    Drafts,
    Way,
    WayKind,
)
from dagster_pgflow.dsl.manifest.compile_names import Names, slug_of_name
from dagster_pgflow.dsl.manifest.compile_work import (
    about_cell,
    halt_fields,
    hooks,
    options_of,
    work_fields,
)
from dagster_pgflow.dsl.manifest.graph import Graph
from dagster_pgflow.dsl.manifest.loops import Loops
from dagster_pgflow.dsl.manifest.manifest import (
    DEFAULT,
    DONE,
    ENTRY,
    FAILURE,
    TERMINALS,
    TIMEOUT,
    UNLABELLED,
    Dispatch,
    Manifest,
)

SUCCESS: Final = "success"
END: Final = "end"
ERROR: Final = "error"

PICK: Final = "pgflow.pick"
FAIL: Final = "pgflow.fail"

ENDED_IN_ERROR: Final = "The run ended in error."
REASONS: Final = ("error.message", "error")
"""Where in the data map the reason of an error stands, if one does."""


def drafts_of(manifest: Manifest, graph: Graph, loops: Loops) -> Drafts:
    """Return the drafts of all that can be reached from the entry.

    Args:
        manifest: A sound manifest.
        graph: Its ways.
        loops: Its loops.
    """
    return _Cells(manifest, graph, loops).drafted()


def _in_order(graph: Graph) -> list[str]:
    """Return what can be reached from the entry, each node behind those that lead to it.

    The order follows from the edges alone, whatever the order of the cells: so a manifest that was
    read off a flow makes the same flow again. What the first edge leads to comes first.
    """
    seen, behind = {ENTRY}, list[str]()
    ways = [(ENTRY, reversed(graph.leaving[ENTRY]))]
    while ways:
        node, edges = ways[-1]
        target = next((edge.target for edge in edges if edge.target not in seen), None)
        if target is None:
            behind.append(node)
            ways.pop()
        else:
            seen.add(target)
            ways.append((target, reversed(graph.leaving[target])))
    return behind[::-1]


class _Cells:
    """Drafts the cells of one manifest."""

    def __init__(self, manifest: Manifest, graph: Graph, loops: Loops) -> None:
        self._manifest = manifest
        self._nodes = [node for node in _in_order(graph) if node not in TERMINALS]
        self._members = [
            member
            for node in self._nodes
            if node in manifest.joins
            for member in graph.members[node]
        ]
        self._entries: dict[str, str] = {}
        self._errors: dict[str, Draft] = {}
        self._innermost = loops.innermost()
        taken = map(slug_of_name, (*self._nodes, *self._members))
        self._drafts = Drafts(
            Names(taken), {header: loop.parent for header, loop in loops.loops.items()}
        )

    def drafted(self) -> Drafts:
        """Return all drafts."""
        for node in self._nodes:
            self._add(node)
        for node in self._nodes:
            self._lead_on(node)
        return self._drafts

    # What a way to a node leads to, and what its ways leave: most nodes are one draft for both.

    def _entry(self, node: str) -> str:
        return self._entries.get(node, node)

    def _add(self, node: str) -> None:
        manifest, slug = self._manifest, slug_of_name(node)
        within = self._innermost.get(node)
        if node in manifest.joins:
            self._add_join(node, slug, within)
        elif manifest.cells[node].halt is not None:
            about = about_cell(manifest, node, slug)
            fields = halt_fields(manifest, node, keeps=manifest.propagate_keys)
            self._drafts.add(Draft(node, "approval", slug, about, fields, within=within))
        elif manifest.cells[node].flow is not None:
            self._add_subflow(node, slug, within)
        else:
            self._drafts.add(
                Draft(
                    node,
                    "work",
                    slug,
                    about_cell(manifest, node, slug),
                    self._work(node, keeps=manifest.propagate_keys),
                    within=within,
                )
            )

    def _work(self, cell: str, *, keeps: bool, join_timeout: int | None = None) -> dict[str, Any]:
        fields = work_fields(self._manifest, cell)
        fields |= {"options": options_of(self._manifest, cell, join_timeout)}
        return fields | ({"keep_input": True} if keeps else {})

    def _add_subflow(self, cell: str, slug: str, within: str | None) -> None:
        manifest = self._manifest
        around = hooks(manifest, cell)
        draft = Draft(cell, "subflow", slug, about_cell(manifest, cell, slug), within=within)
        draft.fields = self._subflow(cell, keeps=manifest.propagate_keys)
        self._drafts.add(draft)
        if "before" in around:
            about = f"What interceptors and transforms do before `{slug}`."
            self._put_before(cell, f"before_{slug}", about, {"before": around["before"]})

    def _subflow(self, cell: str, *, keeps: bool) -> dict[str, Any]:
        fields: dict[str, Any] = {"flow": self._manifest.cells[cell].flow}
        return fields | ({"keep_input": True} if keeps else {})

    def _put_before(self, node: str, wanted: str, about: str, fields: dict[str, Any]) -> None:
        slug = self._drafts.names.give(wanted)
        draft = Draft(f"before {node}", "pick", slug, about, fields, [Way(node)])
        draft.within = self._innermost.get(node)
        self._entries[node] = self._drafts.add(draft).key

    def _add_join(self, name: str, slug: str, within: str | None) -> None:
        join = self._manifest.joins[name]
        members = tuple(self._member(name, cell) for cell in join.cells)
        fields = {"merge": join.merge, "is_sequential": join.strategy == "sequential"}
        draft = Draft(name, "join", slug, fields=fields, members=members, within=within)
        if join.merge is not None:
            draft.catching = self._drafts.names.give(f"{slug}_failures")
        self._drafts.add(draft)
        about = f"The data that the cells of join `{slug}` work on."
        self._put_before(name, f"{slug}_snapshot", about, {})
        self._drafts[self._entry(name)].may_vanish = True

    def _member(self, join: str, cell: str) -> Draft:
        manifest, slug = self._manifest, slug_of_name(cell)
        timeout = manifest.joins[join].timeout_ms
        kind: DraftKind
        if manifest.cells[cell].halt is not None:
            kind, fields = "approval", halt_fields(manifest, cell, keeps=False)
        elif manifest.cells[cell].flow is None:
            fields = self._work(cell, keeps=False, join_timeout=timeout)
            kind = "work"
        else:
            fields = self._subflow(cell, keeps=False)
            kind = "subflow"
        return Draft(cell, kind, slug, about_cell(manifest, cell, slug), fields)

    def _lead_on(self, node: str) -> None:
        draft = self._drafts[node]
        edges = dict(self._manifest.edges.get(node, {}))
        for label, kind in self._exceptions(node, edges):
            draft.ways.append(replace(self._way(node, label, edges.pop(label)), kind=kind))
        group = self._manifest.failure_targets.get(node)
        if group not in (None, ERROR) and not any(way.kind == "failure" for way in draft.ways):
            draft.ways.append(Way(self._target(node, str(group)), kind="failure"))
        deciding = self._deciding(draft, edges)
        for dispatch in self._asked(node, edges):
            way = self._way(node, dispatch.label, edges[dispatch.label])
            when = None if dispatch.label == UNLABELLED else dispatch.predicate
            deciding.ways.append(replace(way, when=when))
        if deciding.decides and not any(way.when == ALWAYS for way in deciding.routes):
            target = self._without_edge(node, deciding, tuple(edges))
            deciding.ways.append(Way(target.key, kind="otherwise"))

    def _exceptions(self, node: str, edges: Mapping[str, str]) -> Iterator[tuple[str, WayKind]]:
        """Yield the labels of edges that are taken when something went wrong."""
        manifest = self._manifest
        may_fail = node in manifest.joins or manifest.cells[node].flow is not None
        if FAILURE in edges and may_fail:
            yield FAILURE, "failure"
        if TIMEOUT in edges and node in manifest.timeouts:
            yield TIMEOUT, "timeout"

    def _asked(self, node: str, edges: Mapping[str, str]) -> Iterator[Dispatch]:
        """Yield what decides between edges, in order; some labels need no predicate."""
        manifest = self._manifest
        implied = {UNLABELLED, DEFAULT}
        if node in manifest.joins:
            implied.add(DONE)
        elif manifest.cells[node].flow is not None:
            implied.add(SUCCESS)
        told = {one.label: one for one in manifest.dispatches.get(node, ()) if one.label in edges}
        for label, dispatch in told.items():
            is_implied = label == SUCCESS and label in implied
            yield Dispatch(label, ALWAYS) if is_implied else dispatch
        for label in edges:
            if label not in told and label in implied:
                yield Dispatch(label, ALWAYS)

    def _deciding(self, draft: Draft, edges: Mapping[str, str]) -> Draft:
        """Return the draft that the edges of a node leave: itself, or one behind it."""
        if draft.kind == "work":
            return draft
        behind = hooks(self._manifest, draft.key).get("after") if draft.kind == "subflow" else None
        asked = [dispatch.predicate for dispatch in self._asked(draft.key, edges)]
        must_decide = len(asked) > 1 or any(one != ALWAYS for one in asked)
        if behind:
            about = f"What interceptors and transforms do behind `{draft.slug}`."
            after = self._behind(draft, f"after_{draft.slug}", about, "pick")
            after.fields["after"] = behind
            draft = after
        if must_decide and UNLABELLED not in edges:
            about = f"Decides where the run goes on behind `{draft.slug}`."
            return self._behind(draft, f"{draft.slug}_decides", about, "router")
        return draft

    def _behind(self, draft: Draft, wanted: str, about: str, kind: Any) -> Draft:
        added = self._drafts.new(kind, wanted, about=about, within=draft.within, base=draft.base)
        draft.ways.append(Way(added.key))
        return added

    def _way(self, node: str, label: str, target: str) -> Way:
        """Return the way along an edge, over what is done to the data there."""
        schema = self._schema(node, label)
        key = self._target(node, target)
        transforms = self._manifest.transforms.get(node)
        transform = transforms.outputs.get(label) if transforms else None
        if transform is not None:
            slug = slug_of_name(node)
            added = self._drafts.new(
                "work",
                f"{slug}_{slug_of_name(label)}_transform",
                about=f"What is done to the data on the way `{label}` behind `{slug}`.",
                fields={"handler": transform.fn, "options": {}},
                within=self._common(node, target),
                ways=[Way(key)],
            )
            if transform.schema is not None:
                checked = {
                    "check_schemas": self._manifest.validate,
                    "coerce": self._manifest.coerce,
                }
                added.fields |= {"output_schema": transform.schema, **checked}
            key = added.key
        return Way(key, label=label or None, schema=schema)

    def _schema(self, node: str, label: str) -> Any:
        cell = self._manifest.cells.get(node)
        return None if cell is None else cell.output_schemas.get(label)

    def _common(self, node: str, target: str) -> str | None:
        """Return the innermost loop that holds both ends of an edge."""
        around = set(self._drafts.around(self._innermost.get(target)))
        own = self._drafts.around(self._innermost.get(node))
        return next((loop for loop in own if loop in around), None)

    def _target(self, node: str, target: str) -> str:
        if target == END:
            return self._end.key
        if target == ERROR:
            return self._error(node).key
        return self._entry(target)

    @cached_property
    def _end(self) -> Draft:
        about = "Here the run ends, with the data map."
        return self._drafts.new("meeting", "end", about=about, may_vanish=True)

    def _error(self, node: str) -> Draft:
        """Return the step that fails the run behind a node; outside of loops it is one for all."""
        within = self._innermost.get(node)
        at = "" if within is None else node
        if at not in self._errors:
            slug = slug_of_name(node)
            self._errors[at] = (
                self._failing("error", "Here the run ends in error.", ENDED_IN_ERROR, None)
                if within is None
                else self._failing(
                    f"{slug}_error",
                    f"Here the run ends in error, behind `{slug}`.",
                    ENDED_IN_ERROR,
                    within,
                )
            )
            self._errors[at].fields["params"]["because"] = [*REASONS]
        return self._errors[at]

    def _without_edge(self, node: str, draft: Draft, labels: tuple[str, ...]) -> Draft:
        slug = slug_of_name(node)
        names = ", ".join(f'"{label}"' for label in labels)
        message = f'No edge of cell "{slug}" was taken: no predicate of {names} holds.'
        # What looks like a reference in a label is none.
        message = message.replace("${", "{")
        about = f"Here the run ends where no predicate of `{slug}` holds."
        ending = self._failing(f"{slug}_without_edge", about, message, draft.within)
        ending.fields["params"]["tells_keys"] = True
        return ending

    def _failing(self, wanted: str, about: str, message: str, within: str | None) -> Draft:
        draft = self._drafts.new("fail", wanted, about=about, within=within, is_dead_end=True)
        draft.fields = {"handler": FAIL, "params": {"message": message}}
        return draft
