"""What a workflow document may hold: the models that read it, and its JSON Schema."""

from collections.abc import Callable
from typing import Annotated, Any, Final, Literal, get_args

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    WrapValidator,
)
from pydantic_core import PydanticCustomError

from dagster_pgflow.dsl.workflow.settings_shape import NodeSettings
from dagster_pgflow.model.exact import Flag
from dagster_pgflow.model.flow import Schedule
from dagster_pgflow.model.options import Jitter
from dagster_pgflow.model.steps.fields import JsonSchema
from dagster_pgflow.model.steps.join import WAIT_RULE
from dagster_pgflow.model.steps.subflow import SubflowMode
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
DEFAULT_ATTEMPTS: Final = 3
DEFAULT_BACKOFF_MS: Final = 1000


def _whole(given: Any) -> Any:
    """Take 5.0 for 5: not every language that writes JSON distinguishes them."""
    return int(given) if isinstance(given, float) and given.is_integer() else given


def _condition(given: Any) -> Any:
    """Take a text for the condition that it is."""
    return {"expression": given} if isinstance(given, str) else given


def _text(given: Any) -> Any:
    """Take 1.0 for "1.0": YAML needs no quotes around a version."""
    is_number = isinstance(given, int | float) and not isinstance(given, bool)
    return str(given) if is_number else given


def _in_one_sentence(wanted: str) -> WrapValidator:
    """Judge a union as a whole; pydantic has a sentence for each of its forms."""

    def read(given: Any, read: Callable[[Any], Any]) -> Any:
        try:
            return read(given)
        except ValidationError:
            raise PydanticCustomError("union", f"Input should be {wanted}") from None

    return WrapValidator(read)


Whole = Annotated[int, Field(strict=True), BeforeValidator(_whole)]
Positive = Annotated[int, Field(strict=True, ge=1), BeforeValidator(_whole)]
Milliseconds = Annotated[int, Field(strict=True, ge=0), BeforeValidator(_whole)]
Tags = Annotated[
    list[str] | dict[str, str],
    _in_one_sentence("a list of texts, or an object that has a text for each tag"),
]
Output = Annotated[
    dict[str, Any] | str | None, _in_one_sentence("an object, or text with a reference")
]
Version = Annotated[str, BeforeValidator(_text, json_schema_input_type=str | int | float)]


class _Part(BaseModel):
    """A part of a document: data with no other fields than these."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Condition(_Part):
    """A condition in CEL; most documents write the text alone."""

    type: Literal["cel"] = "cel"
    expression: str
    invert: Flag = False

    @property
    def text(self) -> str:
        """The condition as one text in CEL; empty when there is none."""
        if not self.expression.strip():
            return ""
        return f"!({self.expression})" if self.invert else self.expression


AnyCondition = Annotated[
    Condition, BeforeValidator(_condition, json_schema_input_type=str | Condition)
]


class Retry(_Part):
    """How often a node is tried, and how long the waits are; each is twice the last.

    Attributes:
        max_attempts: How many times it is tried in all.
        backoff_ms: The wait before the second try.
        backoff_multiplier: Always 2.
        max_delay_ms: No wait is longer; an hour without it.
        jitter: What chance does to a wait: nothing, `full` takes between nothing and all of it,
            `plus-minus` between nothing and twice it.
    """

    max_attempts: Whole = Field(default=DEFAULT_ATTEMPTS, ge=0)
    backoff_ms: Milliseconds = DEFAULT_BACKOFF_MS
    backoff_multiplier: float = Field(default=2.0, ge=1, strict=True)
    max_delay_ms: Milliseconds | None = None
    jitter: Jitter | None = None


class BranchRule(_Part):
    """A condition, and the nodes that the run goes on with when it is the first that holds.

    Attributes:
        condition: The condition, in CEL.
        next_nodes: The nodes.
        label: What the route is called.
        output_schema: JSON Schema of what the node returns when it takes this route.
    """

    condition: AnyCondition
    next_nodes: list[str]
    label: str | None = None
    output_schema: JsonSchema | None = None


class Branch(_Part):
    """Where the run goes on behind a node: at the first rule that holds, else at the default."""

    enabled: Flag = True
    type: Literal["conditional"] = "conditional"
    rules: list[BranchRule] = []
    default: list[str] | None = None
    available_next_nodes: list[str] | None = None


class ConditionalConfig(_Part):
    """What the config of a conditional node says besides the conditions of its edges."""

    condition: AnyCondition | None = None
    rules: list[BranchRule] = []
    default: list[str] | None = None


class Loop(_Part):
    """What a node repeats, how often at most, and where the run goes on behind it."""

    enabled: Flag = True
    condition: AnyCondition | None = None
    max_iterations: Positive
    loop_back_to: str
    break_path: list[str] | None = None
    timeout_path: list[str] | None = None


class JoinConfig(_Part):
    """How many of the nodes before a join must have completed.

    Attributes:
        wait: All, any, or a number of them.
        wait_for_all: Whether it waits for all, in other words.
        members: With `on_failure`, the nodes before it whose failures fail the join and not the
            run; all of them without it.
    """

    wait: Annotated[Literal["all", "any"] | Positive | None, _in_one_sentence(WAIT_RULE)] = None
    wait_for_all: Flag | None = None
    members: list[str] = []


class MapConfig(_Part):
    """How a node goes through the elements of its list, besides its handler and params.

    Attributes:
        batch_size: How many elements are one op in Dagster.
        collect_errors: Whether an element that failed leaves an error in its place.
        pipelined: Whether an element starts as soon as the map before has done its own.
        max_failures: It collects errors, as long as no more elements fail than this.
        max_failures_percent: The same, in percent of the elements.
    """

    batch_size: Whole | None = None
    collect_errors: Flag = False
    pipelined: Flag = False
    max_failures: Whole | None = None
    max_failures_percent: Whole | None = None


class SubflowConfig(_Part):
    """Which flow a node runs, and with what.

    Attributes:
        flow: The slug of the flow.
        input: What it receives: an object that may hold references; without it what any node would.
        output: What the node returns: a reference, or JSON that holds some, to the outputs of the
            final steps of the flow; all of them without it.
        over: The list that it runs over, once for each item: a node before, or a reference.
        mode: Whether it runs inside the run around it, or as a run of its own.
    """

    flow: str
    input: dict[str, Any] | None = None
    output: Output = None
    over: str | None = None
    mode: SubflowMode = "inline"


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


class Edge(_Part):
    """What is done after what.

    Attributes:
        from_: The node before.
        to: The node behind it, which receives the output of the node before.
        condition: The condition, in CEL, under which the run goes on here; or `default`.
        label: What the route of this condition is called.
    """

    from_: str = Field(alias="from")
    to: str
    condition: AnyCondition | None = None
    label: str | None = None


class Metadata(_Part):
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

    name: str | None = None
    description: str = ""
    version: Version | None = None
    tags: Tags = []
    input_schema: JsonSchema | None = None
    output_schema: JsonSchema | None = None
    merge_output: Flag = False
    schedules: list[Schedule] = []
    timeout_ms: Milliseconds | None = None
    retry: Retry | None = None
    max_concurrent_runs: Whole | None = None
    concurrency_key: str | None = None
    max_concurrent_runs_per_key: Whole | None = None
    on_event: Webhook | None = None
    max_recoveries: Whole | None = None


class Workflow(_Part):
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

    schema_: str | None = Field(default=None, alias="$schema")
    nodes: list[Node] = Field(min_length=1)
    edges: list[Edge] = []
    metadata: Metadata | None = None
    name: str | None = None
    description: str | None = None
    version: Version | None = None
