"""What was read of a manifest as the flat manifest that the rest of the package works with."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from dagster_pgflow.dsl.manifest.compile_names import slug_of_name
from dagster_pgflow.dsl.manifest.forms import Form, FormRefused, MapForm
from dagster_pgflow.dsl.manifest.gaps import UNNAMED
from dagster_pgflow.dsl.manifest.halt_shape import halt_of
from dagster_pgflow.dsl.manifest.malli import output_of
from dagster_pgflow.dsl.manifest.manifest import (
    DEFAULT,
    DONE,
    ENTRY,
    MAX_PASSES,
    SUCCESS,
    UNLABELLED,
    UNREAD,
    Cell,
    Constraint,
    ConstraintKind,
    Dispatch,
    ErrorGroup,
    Interceptor,
    InterceptorScope,
    Join,
    Manifest,
    Transform,
    Transforms,
)
from dagster_pgflow.dsl.manifest.notes import Notes
from dagster_pgflow.dsl.manifest.part_shapes import INHERIT, TRANSFORM
from dagster_pgflow.dsl.manifest.resilience_shape import resilience_of
from dagster_pgflow.dsl.manifest.shapes import REFUSED
from dagster_pgflow.dsl.workflow.parts import Place

ALWAYS: Final = "true"
"""The predicate that always holds."""

WITH_TWO: Final[Mapping[str, tuple[str, str]]] = {
    "must-follow": ("if", "then"),
    "must-precede": ("cell", "before"),
}
"""The fields of the constraints that are about two cells."""


_OF_WORK: Final = frozenset({"id", "flow", "schema", "params", "requires"})
"""What only cells have that do something."""


@dataclass(frozen=True)
class Flattening:
    """Makes a flat manifest of what was read.

    Attributes:
        read: What the shape of a manifest read, by field.
        flows: The slugs of the flows that there are.
        notes: Where to note what is wrong.
    """

    read: Mapping[str, Any]
    flows: Collection[str]
    notes: Notes

    def manifest(self, id: str) -> Manifest:
        """Return the manifest.

        Args:
            id: What it is called, if it does not say so.
        """
        read = self.read
        edges, passes = self._edges()
        cells = {name: self._cell(name, given, edges) for name, given in self._part("cells")}
        cells |= {name: Cell(name) for name in self._lost("cells") if name not in cells}
        joins = {name: _join(given) for name, given in self._part("joins")}
        joins |= {name: Join(()) for name in self._lost("joins") if name not in joins}
        knows_input = not self.notes.gaps.touch("cells", ENTRY)
        return Manifest(
            id=read.get("id", id),
            doc=read.get("doc", ""),
            input_schema=read.get("input-schema") if knows_input else None,
            cells=cells,
            edges=edges,
            dispatches=self._dispatches(edges, cells, joins),
            joins=joins,
            error_groups={
                name: ErrorGroup(group["cells"], group["on-error"])
                for name, group in self._part("error-groups")
                if not self.notes.gaps.touch("error-groups", name)
            },
            timeouts={
                **dict.fromkeys(self._lost("timeouts"), 1),
                **dict(self._part("timeouts")),
            },
            resilience={name: resilience_of(given) for name, given in self._part("resilience")},
            interceptors=tuple(_interceptor(given) for given in read.get("interceptors", ())),
            transforms={name: self._transforms(name, at) for name, at in self._part("transforms")},
            constraints=(*self._constraints("constraints"), *self._constraints("invariants")),
            max_passes=read.get("max-passes", MAX_PASSES),
            max_passes_of=passes,
            propagate_keys=read.get("propagate-keys", True),
            validate=read.get("validate", "strict"),
            coerce=read.get("coerce", False),
            strict=read.get("strict", False),
        )

    def _lost(self, *place: str) -> list[str]:
        """Return the names of what could not be read somewhere."""
        return [name for name in self.notes.gaps.inside(place) if name != UNNAMED]

    def _part(self, name: str) -> Collection[tuple[str, Any]]:
        given: Mapping[str, Any] = self.read.get(name, {})
        return given.items()

    def _edges(self) -> tuple[dict[str, dict[str, str]], dict[tuple[str, str], int]]:
        """Return the target of each label, and how often the loops that edges close are passed."""
        edges: dict[str, dict[str, str]] = {}
        passes: dict[tuple[str, str], int] = {}
        for source, given in self._part("edges"):
            if isinstance(given, str):
                edges[source] = {UNLABELLED: given}
                continue
            edges[source] = {}
            for label, target in given.items():
                whole: Mapping[str, Any] = {"to": target} if isinstance(target, str) else target
                edges[source][label] = whole.get("to", UNREAD)
                if "max-passes" in whole:
                    passes[source, label] = whole["max-passes"]
            edges[source] |= dict.fromkeys(self._lost("edges", source), UNREAD)
        return edges, passes

    def _cell(self, name: str, given: Any, edges: Mapping[str, Mapping[str, str]]) -> Cell:
        if isinstance(given, str):
            return Cell(id=given, flow=self._flow(given))
        place: Place = ("cells", name)
        id = given.get("id", given.get("flow", name))
        schema = given.get("schema", {})
        schemas = {} if schema == INHERIT else schema
        output = self._output(place, schemas.get("output"), edges.get(name, {}))
        if self.notes.gaps.touch(*place, "schema"):
            # Half of what a cell says of itself would make the other half look wrong.
            schemas, output = {}, {}
        if "halt" in given:
            return self._halting(name, given)
        return Cell(
            id=id,
            flow=slug_of_name(given["flow"]) if "flow" in given else self._flow(id),
            doc=given.get("doc", ""),
            input_schema=schemas.get("input"),
            params=given.get("params", {}),
            requires=given.get("requires", ()),
            on_error=given.get("on-error"),
            declares_on_error="on-error" in given,
            inherits=schema == INHERIT,
            **output,
        )

    def _halting(self, name: str, given: Mapping[str, Any]) -> Cell:
        for other in _OF_WORK & given.keys():
            message = f'"{name}" halts for a person and does nothing else; remove this.'
            self.notes.note("halt-and-work", ("cells", name, other), message)
        return Cell(
            id=name,
            halt=halt_of(given["halt"]),
            doc=given.get("doc", ""),
            on_error=given.get("on-error"),
            declares_on_error="on-error" in given,
        )

    def _flow(self, id: str) -> str | None:
        """Return the flow that an id means, if there is one of that name."""
        slug = slug_of_name(id)
        return slug if slug in self.flows else None

    def _output(self, place: Place, form: Form | None, labels: Mapping[str, str]) -> dict[str, Any]:
        if form is None:
            return {}
        where = (*place, "schema", "output")

        def refuse(reason: FormRefused) -> None:
            self.notes.refuse(where, reason)
            self.notes.gaps.leave(where)

        output = output_of(form, [*labels], refuse)
        if output.hint is not None:
            self.notes.warn("older-form", where, output.hint, form.at)
        return {"output_schema": output.schema, "output_schemas": output.by_label}

    def _dispatches(
        self,
        edges: Mapping[str, Mapping[str, str]],
        cells: Mapping[str, Cell],
        joins: Mapping[str, Join],
    ) -> dict[str, tuple[Dispatch, ...]]:
        """Return what decides between labels: what is declared, and what goes without saying."""
        declared = {
            name: [
                Dispatch(label, UNREAD if predicate is REFUSED else predicate)
                for label, predicate in given
            ]
            for name, given in self._part("dispatches")
        }
        for name, labels in edges.items():
            if DEFAULT in labels or name in declared:
                declared[name] = self._default_last(name, declared.get(name, []), labels)
            always = DONE if name in joins else SUCCESS
            runs_flow = name in cells and cells[name].flow is not None
            if name in joins or runs_flow:
                declared[name] = _with_own(declared.get(name, []), always, labels)
        return {name: tuple(given) for name, given in declared.items() if given}

    def _default_last(
        self, name: str, declared: list[Dispatch], labels: Mapping[str, str]
    ) -> list[Dispatch]:
        for index, dispatch in enumerate(declared):
            if dispatch.label == DEFAULT and dispatch.predicate not in (ALWAYS, UNREAD):
                place = ("dispatches", name, index)
                message = f'"{DEFAULT}" is taken when nothing else holds; remove its predicate.'
                self.notes.note("default-with-predicate", place, message, self.notes.at(place))
        others = [dispatch for dispatch in declared if dispatch.label != DEFAULT]
        is_there = DEFAULT in labels or len(others) < len(declared)
        return [*others, Dispatch(DEFAULT, ALWAYS)] if is_there else others

    def _transforms(self, name: str, given: Mapping[str, Form]) -> Transforms:
        whole: dict[str, Transform] = {}
        by_label: dict[str, Transform] = {}
        for key, form in given.items():
            place: Place = ("transforms", name, key)
            if key in ("input", "output"):
                whole |= self._transform(key, form, place)
                continue
            inner = form.get("output") if isinstance(form, MapForm) else None
            by_label |= self._transform(key, form if inner is None else inner, place)
        return Transforms(whole.get("input"), whole.get("output"), by_label)

    def _transform(self, key: str, form: Form, place: Place) -> dict[str, Transform]:
        read = TRANSFORM.read(form, place, self.notes)
        if read is REFUSED or "fn" not in read:
            return {key: Transform(UNREAD)}
        return {key: Transform(read["fn"], read.get("schema"))}

    def _constraints(self, key: str) -> list[Constraint]:
        found: list[Constraint] = []
        for index, given in enumerate(self.read.get(key, ())):
            kind: ConstraintKind | None = given.get("type")
            if kind is None:
                continue
            place: Place = (key, index)
            cells = self._cells_of(kind, given, place)
            if cells:
                found.append(Constraint(kind, cells, f"{key}[{index}]"))
        return found

    def _cells_of(self, kind: str, given: Mapping[str, Any], place: Place) -> tuple[str, ...]:
        match kind:
            case "never-together":
                wanted: tuple[str, ...] = ("cells",)
            case "always-reachable":
                wanted = ("cell",)
            case _:
                wanted = WITH_TWO[kind]
        for name in [name for name in given if name not in (*wanted, "type")]:
            message = f'"{kind}" says {" and ".join(wanted)}, and no "{name}"; remove it.'
            self.notes.note("unknown-field", (*place, name), message, self.notes.at(place))
        missing = [name for name in wanted if name not in given]
        for name in missing:
            message = f'"{kind}" needs "{name}"; add it.'
            self.notes.note("missing-field", (*place, name), message, self.notes.at(place))
        if missing:
            return ()
        cells = given["cells"] if wanted == ("cells",) else [given[name] for name in wanted]
        return tuple(cells)


def _with_own(declared: list[Dispatch], always: str, labels: Mapping[str, str]) -> list[Dispatch]:
    """Return what decides behind a join or a flow, whose failures take an edge of their own."""
    said = {dispatch.label for dispatch in declared}
    if always not in labels or always in said:
        return declared
    others = [dispatch for dispatch in declared if dispatch.label != DEFAULT]
    last = [dispatch for dispatch in declared if dispatch.label == DEFAULT]
    return [*others, Dispatch(always, ALWAYS), *last]


def _join(given: Mapping[str, Any]) -> Join:
    return Join(
        cells=given.get("cells", ()),
        strategy=given.get("strategy", "parallel"),
        merge=given.get("merge"),
        timeout_ms=given.get("timeout-ms"),
    )


def _interceptor(given: Mapping[str, Any]) -> Interceptor:
    scope = given.get("scope", "all")
    return Interceptor(
        id=given.get("id", ""),
        scope=InterceptorScope()
        if scope == "all"
        else InterceptorScope(scope.get("id-match"), scope.get("cells")),
        pre=given.get("pre"),
        post=given.get("post"),
    )
