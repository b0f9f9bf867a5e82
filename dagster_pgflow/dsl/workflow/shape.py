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

from dagster_pgflow.model.step import WAIT_RULE

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
]
NODE_TYPES: Final[tuple[str, ...]] = get_args(NodeType)

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
MOST_ATTEMPTS: Final = 10
DEFAULT_ATTEMPTS: Final = 3
DEFAULT_BACKOFF_MS: Final = 1000


def _whole(given: Any) -> Any:
    """Take 5.0 for 5: not every language that writes JSON tells them apart."""
    return int(given) if isinstance(given, float) and given.is_integer() else given


def _condition(given: Any) -> Any:
    """Take a text for the condition that it is."""
    return {"expression": given} if isinstance(given, str) else given


def _text(given: Any) -> Any:
    """Take 1.0 for "1.0": YAML needs no quotes around a version."""
    is_number = isinstance(given, int | float) and not isinstance(given, bool)
    return str(given) if is_number else given


def _wait(given: Any, read: Callable[[Any], Any]) -> Any:
    """Read how many a join waits for; pydantic has a sentence for each form."""
    try:
        return read(given)
    except ValidationError:
        raise PydanticCustomError("wait", f"Input should be {WAIT_RULE}") from None


Whole = Annotated[int, Field(strict=True), BeforeValidator(_whole)]
Positive = Annotated[int, Field(strict=True, ge=1), BeforeValidator(_whole)]
Milliseconds = Annotated[int, Field(strict=True, ge=0), BeforeValidator(_whole)]
Version = Annotated[str, BeforeValidator(_text, json_schema_input_type=str | int | float)]


class _Part(BaseModel):
    """A part of a document: data with no other fields than these."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Condition(_Part):
    """A condition in CEL; most documents write the text alone."""

    type: Literal["cel"] = "cel"
    expression: str
    invert: bool = False

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
    """How often a node is tried, and how long the first wait is; each wait is twice the last."""

    max_attempts: Whole = Field(default=DEFAULT_ATTEMPTS, ge=1, le=MOST_ATTEMPTS)
    backoff_ms: Milliseconds = DEFAULT_BACKOFF_MS
    backoff_multiplier: float = Field(default=2.0, ge=1, strict=True)


class BranchRule(_Part):
    """A condition, and the nodes that the run goes on with when it is the first that holds."""

    condition: AnyCondition
    next_nodes: list[str]


class Branch(_Part):
    """Where the run goes on behind a node: at the first rule that holds, else at the default."""

    enabled: bool = True
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

    enabled: bool = True
    condition: AnyCondition | None = None
    max_iterations: Positive
    loop_back_to: str
    break_path: list[str] | None = None
    timeout_path: list[str] | None = None


class JoinConfig(_Part):
    """How many of the nodes before a join must have completed."""

    wait: Annotated[Literal["all", "any"] | Positive | None, WrapValidator(_wait)] = None
    wait_for_all: bool | None = None


class Node(_Part):
    """One thing that is done.

    Attributes:
        id: Its name, a slug.
        type: What kind of thing.
        name: What people call it.
        description: What it is for.
        config: What the type asks for; for `function` the name of the handler and its params.
        config_ref: Where a config is that is kept elsewhere; the handler gets it as a param.
        timeout_ms: Milliseconds that one attempt may take.
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
    retry: Retry | None = None
    wait_for_all: bool | None = None
    loop: Loop | None = None
    branch: Branch | None = None


class Edge(_Part):
    """What is done after what.

    Attributes:
        from_: The node before.
        to: The node behind it, which receives the output of the node before.
        condition: The condition, in CEL, under which the run goes on here; or `default`.
    """

    from_: str = Field(alias="from")
    to: str
    condition: AnyCondition | None = None


class Metadata(_Part):
    """What the workflow is; other fields are allowed and not kept."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str | None = None
    description: str = ""
    version: Version | None = None
    tags: list[str] = []


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


def workflow_schema() -> dict[str, Any]:
    """Return the JSON Schema of a workflow document."""
    schema = Workflow.model_json_schema(by_alias=True, ref_template="#/$defs/{model}")
    definitions = schema["$defs"]
    definitions["Node"]["allOf"] = [
        _config_of(kind, model.model_json_schema(ref_template="#/$defs/{model}"), definitions)
        for kind, model in (
            ("conditional", ConditionalConfig),
            ("loop", Loop),
            ("join", JoinConfig),
        )
    ]
    return {"$schema": DIALECT, **schema}


def _config_of(kind: str, config: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """Return what the config of one type of node must be; params may stand beside it."""
    definitions |= config.pop("$defs", {})
    wanted: dict[str, Any] = {"type": "object", "properties": config["properties"]}
    then: dict[str, Any] = {"properties": {"config": {"anyOf": [wanted, {"type": "null"}]}}}
    if "required" in config:
        whole = {**wanted, "required": config["required"]}
        # All of it may stand in a field of its own instead.
        apart = {"required": [kind]}
        then = {"anyOf": [apart, {"required": ["config"], "properties": {"config": whole}}]}
    return {"if": {"properties": {"type": {"const": kind}}}, "then": then}
