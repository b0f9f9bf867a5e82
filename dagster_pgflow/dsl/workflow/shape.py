"""What a workflow document may hold: the models that read it, and its JSON Schema."""

from typing import Annotated, Any, ClassVar, Final, Literal, get_args

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
)

from dagster_pgflow.dsl.workflow.config_shape import (
    AnyCondition,
    Branch,
    Loop,
    Milliseconds,
    Part,
    Retry,
    Whole,
    in_one_sentence,
)
from dagster_pgflow.dsl.workflow.settings_shape import NodeSettings
from dagster_pgflow.model.described import Examples
from dagster_pgflow.model.exact import Flag
from dagster_pgflow.model.flow import Schedule
from dagster_pgflow.model.steps.fields import JsonSchema
from dagster_pgflow.model.webhook import Webhook

NodeType = Literal[
    "function",
    "http",
    "transform",
    "aggregate",
    "filter",
    "agent",
    "conditional",
    "parallel",
    "join",
    "loop",
    "task",
    "map",
    "subflow",
    "pick",
    "fail",
    "approval",
    "hitl",
    "wait",
    "sleep",
]
NODE_TYPES: Final[tuple[str, ...]] = get_args(NodeType)

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def _text(given: Any) -> Any:
    """Take 1.0 for "1.0": YAML needs no quotes around a version."""
    is_number = isinstance(given, int | float) and not isinstance(given, bool)
    return str(given) if is_number else given


Tags = Annotated[
    list[str] | dict[str, str],
    in_one_sentence("a list of texts, or an object that has a text for each tag"),
]
Version = Annotated[str, BeforeValidator(_text, json_schema_input_type=str | int | float)]


class Node(NodeSettings):
    """One thing that is done.

    Attributes:
        id: Its name, a slug.
        type: What kind of thing.
        name: What people call it.
        description: What it is for.
        config: What the type asks for; for `function` the name of the handler and its params.
        config_ref: Where a config is that is kept elsewhere; the handler gets it as a param.
        timeout_ms: Milliseconds that one attempt may take.
        start_delay_ms: How long it waits before its first try.
        retry: How often it is tried.
        wait_for_all: Always true: a node with several edges to it waits for all of them.
        loop: What it repeats, whatever its type.
        branch: Where the run goes on, whatever its type.
    """

    examples: ClassVar[Examples] = {
        "id": "charge",
        "name": "Charge the card",
        "description": "Takes the money.",
        "config": {"handler": "shop.charge", "params": {"currency": "EUR"}},
        "config_ref": "configs/charge",
        "timeout_ms": 30000,
        "start_delay_ms": 60000,
        "retry": {"max_attempts": 5},
        "loop": {"condition": "output.score < 8", "max_iterations": 5, "loop_back_to": "draft"},
        "branch": {"rules": [{"condition": "input.total > 100", "next_nodes": ["review"]}]},
    }

    id: str
    type: NodeType
    name: str = ""
    description: str = ""
    config: dict[str, Any] | None = None
    config_ref: str | None = None
    timeout_ms: Milliseconds | None = None
    start_delay_ms: Milliseconds | None = None
    retry: Retry | None = None
    wait_for_all: Flag | None = None
    loop: Loop | None = None
    branch: Branch | None = None


class Edge(Part):
    """What is done after what.

    Attributes:
        from_: The node before.
        to: The node behind it, which receives the output of the node before.
        condition: The condition, in CEL, under which the run goes on here; or `default`.
        label: What the route of this condition is called.
    """

    examples: ClassVar[Examples] = {
        "from_": "fetch",
        "to": "charge",
        "condition": "input.total > 0",
        "label": "large",
    }

    from_: str = Field(alias="from")
    to: str
    condition: AnyCondition | None = None
    label: str | None = None


class Metadata(Part):
    """What the workflow is, and what holds for all of it; other fields are allowed and not kept.

    Attributes:
        name: What it is called; its slug follows from it.
        description: What it is for.
        version: The version that its author gave it.
        tags: Texts such as `nightly` and `team=sales`, or an object.
        input_schema: JSON Schema of what a run may start with.
        output_schema: JSON Schema of what a run returns.
        merge_output: Whether a run returns the objects of its last nodes as one object.
        schedules: When it is started: each has a `slug`, a `cron` and perhaps an `input`.
        timeout_ms: Milliseconds that one attempt of a node may take that does not say otherwise.
        retry: How often such a node is tried.
        max_concurrent_runs: How many requested runs are under way at most.
        concurrency_key: CEL over `input`: requests with the same value stand in one line.
        max_concurrent_runs_per_key: How many of one line are under way at most.
        on_event: The web service that is told how runs end.
        max_recoveries: How often a run goes on by itself whose process was lost.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    examples: ClassVar[Examples] = {
        "name": "Order",
        "description": "From the cart to the receipt.",
        "version": "1.0",
        "tags": ["nightly", "team=sales"],
        "input_schema": {
            "type": "object",
            "properties": {"order_id": {"type": "string"}},
            "required": ["order_id"],
        },
        "output_schema": {"type": "object"},
        "schedules": [{"slug": "nightly", "cron": "0 6 * * *"}],
        "timeout_ms": 30000,
        "retry": {"max_attempts": 5},
        "max_concurrent_runs": 4,
        "concurrency_key": "input.customer",
        "max_concurrent_runs_per_key": 1,
        "on_event": {"url": "https://example.org/runs", "secret": "RUNS_SECRET"},
        "max_recoveries": 1,
    }

    name: str | None = None
    description: str = ""
    version: Version | None = None
    tags: Tags = Field(default=[])
    input_schema: JsonSchema | None = None
    output_schema: JsonSchema | None = None
    merge_output: Flag = False
    schedules: list[Schedule] = Field(default=[])
    timeout_ms: Milliseconds | None = None
    retry: Retry | None = None
    max_concurrent_runs: Whole | None = None
    concurrency_key: str | None = None
    max_concurrent_runs_per_key: Whole | None = None
    on_event: Webhook | None = None
    max_recoveries: Whole | None = None


class Workflow(Part):
    """A workflow document.

    Attributes:
        schema_: The JSON Schema that an editor checks it by.
        nodes: What is done.
        edges: In which order.
        metadata: What the workflow is.
        name: For documents without metadata.
        description: For documents without metadata.
        version: For documents without metadata.
    """

    examples: ClassVar[Examples] = {
        "schema_": "workflow.schema.json",
        "nodes": [{"id": "fetch", "type": "function"}],
        "edges": [{"from": "fetch", "to": "charge"}],
        "metadata": {"name": "Order"},
        "name": "Order",
        "description": "From the cart to the receipt.",
        "version": "1.0",
    }

    schema_: str | None = Field(default=None, alias="$schema")
    nodes: list[Node] = Field(min_length=1)
    edges: list[Edge] = Field(default=[])
    metadata: Metadata | None = None
    name: str | None = None
    description: str | None = None
    version: Version | None = None
