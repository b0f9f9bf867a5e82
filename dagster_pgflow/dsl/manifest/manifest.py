"""A manifest as the rest of this package works with it: flat, and in our words.

Reading ends here: sugar is gone (`pipeline` is edges), fragments are dissolved, what it extends is
merged, default dispatches are filled in, predicates are CEL and schemas are JSON Schemas. Whatever
checks, lists or compiles a manifest begins here and knows nothing of EDN or YAML.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, Literal

from dagster_pgflow.model.steps.fields import JsonSchema

ENTRY: Final = "start"
"""The cell that every manifest begins with."""

UNLABELLED: Final = ""
"""The label of an edge that is taken whatever the data says."""

UNREAD: Final = ""
"""In place of a target, a predicate or a handler that could not be read; such a manifest is only
checked."""

DEFAULT: Final = "default"
"""The label that is asked last and always holds."""

TIMEOUT: Final = "timeout"
"""The label of the edge that is taken when the time of a cell is over."""

DONE: Final = "done"
FAILURE: Final = "failure"
SUCCESS: Final = "success"
"""Labels without predicates: `done` and `failure` of joins, `success` and `failure` of flows."""

TERMINALS: Final = ("end", "error", "halt")
"""Targets that are no cells: the run completes, fails, or waits for a person."""

MAX_PASSES: Final = 100

Validate = Literal["strict", "warn", "off"]
Strategy = Literal["parallel", "sequential"]


@dataclass(frozen=True)
class Cell:
    """One unit of work.

    Attributes:
        id: What does the work: the name of a handler, of a built-in node type, or a flow.
        flow: The slug of the flow that the cell runs; `None` where a handler does the work.
        doc: What it is for.
        input_schema: What it requires of the data map.
        output_schema: What it adds, whichever edge is taken.
        output_schemas: What it adds, by the label of the edge that is taken.
        params: Constants for the handler.
        requires: Names of resources of the code location.
        on_error: The cell that a declaration names for its failures.
        declares_on_error: Whether there is a declaration; it may name no cell.
        inherits: Whether its schemas are the type hints of its handler.
        halt: What a person is asked, as fields of an approval; `None` where nobody is.
    """

    id: str
    flow: str | None = None
    doc: str = ""
    input_schema: JsonSchema | None = None
    output_schema: JsonSchema | None = None
    output_schemas: Mapping[str, JsonSchema] = field(default_factory=dict)
    params: Mapping[str, object] = field(default_factory=dict)
    requires: tuple[str, ...] = ()
    on_error: str | None = None
    declares_on_error: bool = False
    inherits: bool = False
    halt: Mapping[str, object] | None = None


@dataclass(frozen=True)
class Dispatch:
    """When an edge is taken.

    Attributes:
        label: That of the edge.
        predicate: CEL over `data`, the data map behind the cell; `true` always holds.
    """

    label: str
    predicate: str


@dataclass(frozen=True)
class Join:
    """Cells that work on one snapshot of the data map.

    Attributes:
        cells: Its members, in the order in which their results are merged.
        strategy: Whether they run beside each other, or one after the other.
        merge: The handler that merges `{member: result}`; without it they are laid over the map.
        timeout_ms: Milliseconds that each member may take.
    """

    cells: tuple[str, ...]
    strategy: Strategy = "parallel"
    merge: str | None = None
    timeout_ms: int | None = None


@dataclass(frozen=True)
class ErrorGroup:
    """Cells whose failures lead to one cell.

    Attributes:
        cells: Its members.
        on_error: The cell, or terminal, that their failures lead to.
    """

    cells: tuple[str, ...]
    on_error: str


@dataclass(frozen=True)
class Resilience:
    """How failures of a cell are met; what is inside of each is as in the options of a step.

    Attributes:
        timeout_ms: Milliseconds that one attempt may take.
        retry: `max_attempts`, `base_delay`, `max_delay`, `jitter` of the options of a step.
        circuit_breaker: As the step option of this name.
        bulkhead: As the step option of this name.
        rate_limiter: As the step option of this name.
    """

    timeout_ms: int | None = None
    retry: Mapping[str, object] | None = None
    circuit_breaker: Mapping[str, object] | None = None
    bulkhead: Mapping[str, object] | None = None
    rate_limiter: Mapping[str, object] | None = None


@dataclass(frozen=True)
class InterceptorScope:
    """Which cells an interceptor is about: all, where nothing is said.

    Attributes:
        id_match: A pattern of cell ids with `*`.
        cells: Names of cells.
    """

    id_match: str | None = None
    cells: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Interceptor:
    """Handlers that the data passes before and behind cells.

    Attributes:
        id: Its name.
        scope: The cells.
        pre: The handler before them.
        post: The handler behind them.
    """

    id: str
    scope: InterceptorScope = InterceptorScope()
    pre: str | None = None
    post: str | None = None


@dataclass(frozen=True)
class Transform:
    """A handler that makes data fit.

    Attributes:
        fn: The handler.
        schema: What it returns.
    """

    fn: str
    schema: JsonSchema | None = None


@dataclass(frozen=True)
class Transforms:
    """What is done to the data around one cell.

    Attributes:
        input: Before it.
        output: Behind it, whichever edge is taken.
        outputs: Behind it, by the label of the edge that is taken.
    """

    input: Transform | None = None
    output: Transform | None = None
    outputs: Mapping[str, Transform] = field(default_factory=dict)


ConstraintKind = Literal["must-follow", "must-precede", "never-together", "always-reachable"]


@dataclass(frozen=True)
class Constraint:
    """What must hold on every way through a manifest.

    Attributes:
        kind: What it says of the cells.
        cells: `(if, then)` of `must-follow`, `(cell, before)` of `must-precede`, all of
            `never-together`, the one of `always-reachable`.
        path: Where it stands, as `constraints[0]` or `invariants[2]`.
    """

    kind: ConstraintKind
    cells: tuple[str, ...]
    path: str


@dataclass(frozen=True)
class Manifest:
    """A flat manifest.

    Attributes:
        id: As it is written; the slug of the flow follows from it.
        doc: What it is for.
        input_schema: What a run may start with.
        cells: By their names.
        edges: By the name of a cell or join: the target of each label, a cell, a join or one of
            `TERMINALS`. An edge without a label has `UNLABELLED`.
        dispatches: By the name of a cell or join: what decides between its labels, in order;
            `default` is last. What no predicate decides has none, unless the manifest declares
            one: the edge `timeout`, and the edge `failure` of a join or of a cell that runs a flow.
        joins: By their names.
        error_groups: By their names.
        timeouts: Milliseconds by cell; when they are over, its edge `timeout` is taken.
        resilience: By cell.
        interceptors: In the order in which data passes them on the way in.
        transforms: By cell.
        constraints: Those of the key `constraints` and of `invariants`.
        max_passes: How often a loop is passed at most.
        max_passes_of: The same for the loop that one edge closes, by cell and label.
        propagate_keys: Whether what a cell received lives on behind it.
        validate: What a breach of a schema does at run time.
        coerce: Whether values are made to fit their schemas where nothing is lost.
        strict: Whether every cell must declare `on-error`.
    """

    id: str
    cells: Mapping[str, Cell]
    edges: Mapping[str, Mapping[str, str]]
    doc: str = ""
    input_schema: JsonSchema | None = None
    dispatches: Mapping[str, tuple[Dispatch, ...]] = field(default_factory=dict)
    joins: Mapping[str, Join] = field(default_factory=dict)
    error_groups: Mapping[str, ErrorGroup] = field(default_factory=dict)
    timeouts: Mapping[str, int] = field(default_factory=dict)
    resilience: Mapping[str, Resilience] = field(default_factory=dict)
    interceptors: tuple[Interceptor, ...] = ()
    transforms: Mapping[str, Transforms] = field(default_factory=dict)
    constraints: tuple[Constraint, ...] = ()
    max_passes: int = MAX_PASSES
    max_passes_of: Mapping[tuple[str, str], int] = field(default_factory=dict)
    propagate_keys: bool = True
    validate: Validate = "strict"
    coerce: bool = False
    strict: bool = False

    @cached_property
    def failure_targets(self) -> Mapping[str, str]:
        """Where failures of cells lead to; of several groups the first decides."""
        found: dict[str, str] = {}
        for group in self.error_groups.values():
            for cell in group.cells:
                found.setdefault(cell, group.on_error)
        return found
