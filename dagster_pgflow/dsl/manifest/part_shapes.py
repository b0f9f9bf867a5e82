"""The parts that a manifest, or a fragment, may hold: what reads each, and its JSON Schema."""

from typing import Final, get_args

from dagster_pgflow.dsl.manifest.forms import Form
from dagster_pgflow.dsl.manifest.halt_shape import HALT
from dagster_pgflow.dsl.manifest.malli import schema_of
from dagster_pgflow.dsl.manifest.manifest import (
    ConstraintKind,
    Strategy,
)
from dagster_pgflow.dsl.manifest.predicates import predicate
from dagster_pgflow.dsl.manifest.shapes import (
    JsonObject,
    Name,
    ReadLater,
    Shape,
    Text,
    Translated,
    Whole,
    Word,
    is_map,
    is_name,
)
from dagster_pgflow.dsl.manifest.shapes_of_many import (
    ByName,
    Either,
    Field,
    Listed,
    OrNull,
    Pair,
    Record,
)

INHERIT: Final = "inherit"
"""The schema of a cell that takes the type hints of its handler."""

_WRITTEN_SCHEMA: Final = {"type": ["object", "array", "string"]}
SCHEMA: Final = Translated(schema_of, _WRITTEN_SCHEMA)
"""A schema: in the words of Malli, in the short form, or a JSON Schema."""

CELL_NAME: Final = Name("a cell")
CELL_NAMES: Final = Listed(CELL_NAME)
HANDLER: Final = Name("a handler")
MILLISECONDS: Final = Whole()


def name_or(name: Shape, other: Shape, wanted: str) -> Either:
    """Return what is a name, or an object that says more."""

    def chosen(form: Form) -> Shape | None:
        return name if is_name(form) else other if is_map(form) else None

    return Either(chosen, (name, other), wanted)


SCHEMAS: Final = Record(
    "the schema of a cell",
    {
        "input": Field(SCHEMA, "What the cell requires of the data map.", ["map", ["n", "int"]]),
        "output": Field(
            ReadLater(_WRITTEN_SCHEMA),
            "What the cell adds to the data map: one schema, or one for each label as"
            ' `["per-transition", {label: schema}]`.',
            ["map", ["total", "int"]],
        ),
    },
)

CELL: Final = Record(
    "a cell",
    {
        "id": Field(
            Name("what does the work"),
            "What does the work: a handler, a built-in node type, or a flow.",
            "payment/validate-card",
        ),
        "flow": Field(
            Name("a flow"), "The flow that the cell runs, where the id does not say it.", "payment"
        ),
        "halt": Field(
            name_or(Text(), HALT, "what a person is asked, or an object with prompt"),
            "What a person is asked; the answer is laid over the data.",
            "May this be paid?",
        ),
        "doc": Field(Text(), "What the cell is for.", "Checks the number of the card."),
        "schema": Field(
            name_or(Word((INHERIT,)), SCHEMAS, f'"{INHERIT}", or an object with input and output'),
            f"What the cell requires and adds; `{INHERIT}` takes the type hints of its handler.",
            INHERIT,
        ),
        "params": Field(JsonObject(), "Constants for the handler.", {"factor": 3}),
        "requires": Field(
            Listed(Name("a resource")), "Resources of the code location that it needs.", ["db"]
        ),
        "on-error": Field(
            OrNull(CELL_NAME),
            "The cell that looks after its failures; null says that none does.",
            "show-error",
        ),
    },
    meant={
        "handler": "id",
        "description": "doc",
        "resources": "requires",
        "config": "params",
        "input": "schema",
        "output": "schema",
    },
    also={"on_error": "on-error"},
    one_of=("id", "flow", "halt"),
)

TARGET: Final = Name("a cell, a join, end, error or halt")
PASSED_TARGET: Final = Record(
    "a target",
    {
        "to": Field(TARGET, "Where the run goes on.", "draft", is_required=True),
        "max-passes": Field(Whole(), "How often the loop that this edge closes is passed.", 20),
    },
)
LABELLED: Final = ByName(
    "a label", name_or(TARGET, PASSED_TARGET, "a target, or an object with to and max-passes")
)


PREDICATE: Final = Translated(lambda form, _: predicate(form), {"type": ["string", "boolean"]})
DISPATCH: Final = Pair("a label and a predicate", Name("a label"), PREDICATE)

JOIN: Final = Record(
    "a join",
    {
        "cells": Field(
            Listed(CELL_NAME, least=1),
            "Its members, in the order in which their results are merged.",
            ["tax", "shipping"],
            is_required=True,
        ),
        "strategy": Field(
            Word(get_args(Strategy)),
            "Whether the members run beside each other, or one after the other.",
            "parallel",
        ),
        "merge": Field(HANDLER, "The handler that merges their results.", "order/merge-fees"),
        "timeout-ms": Field(MILLISECONDS, "Milliseconds that each member may take.", 30_000),
    },
    also={"merge-fn": "merge"},
)

_PART: Final = ReadLater({"type": "object"})
FRAGMENT: Final = Record(
    "a fragment",
    {
        "id": Field(Name("the fragment"), "Its name.", "login"),
        "doc": Field(Text(), "What it is for.", "From the cookie to the profile."),
        "entry": Field(CELL_NAME, "The cell that it begins with.", "check", is_required=True),
        "exits": Field(
            Listed(Name("an exit"), least=1),
            "Its ways out, to which edges lead as `_exit/<name>`.",
            ["success", "failure"],
            is_required=True,
        ),
        "cells": Field(_PART, "As in a manifest.", {"check": "auth/check"}, is_required=True),
        "edges": Field(
            _PART, "As in a manifest; they lead to its cells and exits.", {"check": "_exit/success"}
        ),
        "dispatches": Field(_PART, "As in a manifest.", {"check": [["known", "data.known"]]}),
        "joins": Field(_PART, "As in a manifest.", {"both": {"cells": ["a", "b"]}}),
        "fragments": Field(
            _PART,
            "Fragments inside it.",
            {"inner": {"ref": "inner.edn", "exits": {"done": "check"}}},
        ),
        "error-groups": Field(
            _PART, "As in a manifest.", {"all": {"cells": ["check"], "on-error": "_exit/failure"}}
        ),
        "timeouts": Field(_PART, "As in a manifest.", {"check": 5_000}),
        "resilience": Field(_PART, "As in a manifest.", {"check": {"timeout": 5_000}}),
        "transforms": Field(_PART, "As in a manifest.", {"check": {"input": {"fn": "auth/tidy"}}}),
    },
)
"""What a fragment may hold; its parts are looked at where they stand in the host."""

FRAGMENT_USE: Final = Record(
    "a fragment in its host",
    {
        "ref": Field(
            Text(), "The file of the fragment, from the folder of the manifest on.", "login.edn"
        ),
        "fragment": Field(
            ReadLater(FRAGMENT.schema()),
            "The fragment itself, in place of a file.",
            {"entry": "check", "exits": ["success"], "cells": {"check": "auth/check"}},
        ),
        "as": Field(CELL_NAME, "What its entry is called here.", "start"),
        "exits": Field(
            ByName("an exit", TARGET), "Where each of its exits leads.", {"success": "dashboard"}
        ),
    },
)

ERROR_GROUP: Final = Record(
    "an error group",
    {
        "cells": Field(
            Listed(CELL_NAME, least=1), "Its members.", ["fetch", "parse"], is_required=True
        ),
        "on-error": Field(TARGET, "Where their failures lead.", "show-error", is_required=True),
    },
)

SCOPE: Final = Record(
    "a scope",
    {
        "id-match": Field(Text(), "A pattern of cell ids.", "ui/*"),
        "cells": Field(CELL_NAMES, "Names of cells.", ["render"]),
    },
)
INTERCEPTOR: Final = Record(
    "an interceptor",
    {
        "id": Field(Name("an interceptor"), "Its name.", "navigation", is_required=True),
        "scope": Field(
            name_or(Word(("all",)), SCOPE, '"all", or an object with id-match or cells'),
            "The cells that it is around.",
            {"id-match": "ui/*"},
        ),
        "pre": Field(HANDLER, "The handler before them.", "ui/add-navigation"),
        "post": Field(HANDLER, "The handler behind them.", "ui/tidy"),
    },
)

TRANSFORM: Final = Record(
    "a transform",
    {
        "fn": Field(
            HANDLER, "The handler that makes the data fit.", "shop/to-cents", is_required=True
        ),
        "schema": Field(SCHEMA, "What it returns.", ["map", ["cents", "int"]]),
    },
)
LABELLED_TRANSFORM: Final = Record(
    "a transform of one edge",
    {
        "output": Field(
            TRANSFORM,
            "What is done to what the cell returned.",
            {"fn": "shop/tidy"},
            is_required=True,
        )
    },
)
TRANSFORMS: Final = ByName(
    "input, output or a label",
    ReadLater({"anyOf": [TRANSFORM.schema(), LABELLED_TRANSFORM.schema()]}),
)

CONSTRAINT: Final = Record(
    "a constraint",
    {
        "type": Field(
            Word(get_args(ConstraintKind)), "What must hold.", "must-follow", is_required=True
        ),
        "if": Field(CELL_NAME, "Of must-follow: whoever passes this cell", "flag"),
        "then": Field(CELL_NAME, "passes this one later.", "audit"),
        "cell": Field(CELL_NAME, "Of must-precede and always-reachable: the cell.", "validate"),
        "before": Field(CELL_NAME, "Of must-precede: the cell that it is passed before.", "charge"),
        "cells": Field(CELL_NAMES, "Of never-together: the cells.", ["approve", "reject"]),
    },
)
CONSTRAINTS: Final = Listed(CONSTRAINT)
