"""What the fields and configs of nodes hold: conditions, routes, loops, tries, and their types."""

from collections.abc import Callable
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    WrapValidator,
)
from pydantic_core import PydanticCustomError

from dagster_pgflow.model.described import Examples
from dagster_pgflow.model.exact import Flag
from dagster_pgflow.model.options import Jitter
from dagster_pgflow.model.steps.fields import JsonSchema
from dagster_pgflow.model.steps.join import WAIT_RULE
from dagster_pgflow.model.steps.subflow import SubflowMode

DEFAULT_ATTEMPTS: Final = 3
DEFAULT_BACKOFF_MS: Final = 1000


def _whole(given: Any) -> Any:
    """Take 5.0 for 5: not every language that writes JSON distinguishes them."""
    return int(given) if isinstance(given, float) and given.is_integer() else given


def _condition(given: Any) -> Any:
    """Take a text for the condition that it is."""
    return {"expression": given} if isinstance(given, str) else given


def in_one_sentence(wanted: str) -> WrapValidator:
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
Output = Annotated[
    dict[str, Any] | str | None, in_one_sentence("an object, or text with a reference")
]


class Part(BaseModel):
    """A part of a document: data with no other fields than these."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Condition(Part):
    """A condition in CEL; most documents write the text alone.

    Attributes:
        type: The language.
        expression: The condition.
        invert: Whether it must not hold.
    """

    examples: ClassVar[Examples] = {"expression": "input.total > 100"}

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


class Retry(Part):
    """How often a node is tried, and how long the waits are; each is twice the last.

    Attributes:
        max_attempts: How many times it is tried in all.
        backoff_ms: The wait before the second try.
        backoff_multiplier: Always 2.
        max_delay_ms: No wait is longer; an hour without it.
        jitter: What chance does to a wait: nothing, `full` takes between nothing and all of it,
            `plus-minus` between nothing and twice it.
    """

    examples: ClassVar[Examples] = {
        "max_attempts": 5,
        "backoff_ms": 2000,
        "backoff_multiplier": 2,
        "max_delay_ms": 60000,
    }

    max_attempts: Whole = Field(default=DEFAULT_ATTEMPTS, ge=0)
    backoff_ms: Milliseconds = DEFAULT_BACKOFF_MS
    backoff_multiplier: float = Field(default=2.0, ge=1, strict=True)
    max_delay_ms: Milliseconds | None = None
    jitter: Jitter | None = None


class BranchRule(Part):
    """A condition, and the nodes that the run goes on with when it is the first that holds.

    Attributes:
        condition: The condition, in CEL.
        next_nodes: The nodes.
        label: What the route is called.
        output_schema: JSON Schema of what the node returns when it takes this route.
    """

    examples: ClassVar[Examples] = {
        "condition": "input.total > 100",
        "next_nodes": ["review"],
        "label": "large",
        "output_schema": {"type": "object"},
    }

    condition: AnyCondition
    next_nodes: list[str]
    label: str | None = None
    output_schema: JsonSchema | None = None


class Branch(Part):
    """Where the run goes on behind a node: at the first rule that holds, else at the default.

    Attributes:
        enabled: Whether this counts at all.
        type: Always `conditional`.
        rules: What decides, in this order.
        default: The nodes that the run goes on with when no rule holds.
        available_next_nodes: The nodes that rules may lead to; where it is said, no others.
    """

    examples: ClassVar[Examples] = {
        "rules": [{"condition": "input.total > 100", "next_nodes": ["review"]}],
        "default": ["charge"],
        "available_next_nodes": ["review", "charge"],
    }

    enabled: Flag = True
    type: Literal["conditional"] = "conditional"
    rules: list[BranchRule] = []
    default: list[str] | None = None
    available_next_nodes: list[str] | None = None


class ConditionalConfig(Part):
    """What the config of a conditional node says besides the conditions of its edges.

    Attributes:
        condition: The condition under which the run goes on with the nodes behind it.
        rules: What decides, in this order.
        default: The nodes that the run goes on with when no rule holds.
    """

    examples: ClassVar[Examples] = {
        "condition": "input.total > 100",
        "rules": [{"condition": "input.total > 100", "next_nodes": ["review"]}],
        "default": ["charge"],
    }

    condition: AnyCondition | None = None
    rules: list[BranchRule] = []
    default: list[str] | None = None


class Loop(Part):
    """What a node repeats, how often at most, and where the run goes on behind it.

    Attributes:
        enabled: Whether this counts at all.
        condition: While it holds, the nodes from `loop_back_to` to this one run again.
        max_iterations: How often they run at most.
        loop_back_to: The first of the nodes that are repeated.
        break_path: The nodes that the run goes on with once the condition does not hold.
        timeout_path: The nodes that it goes on with when the condition still holds after the last
            iteration.
    """

    examples: ClassVar[Examples] = {
        "condition": "output.score < 8",
        "max_iterations": 5,
        "loop_back_to": "draft",
        "break_path": ["publish"],
        "timeout_path": ["give_up"],
    }

    enabled: Flag = True
    condition: AnyCondition | None = None
    max_iterations: Positive
    loop_back_to: str
    break_path: list[str] | None = None
    timeout_path: list[str] | None = None


class JoinConfig(Part):
    """How many of the nodes before a join must have completed.

    Attributes:
        wait: All, any, or a number of them.
        wait_for_all: Whether it waits for all, in other words.
        members: With `on_failure`, the nodes before it whose failures fail the join and not the
            run; all of them without it.
    """

    examples: ClassVar[Examples] = {"wait": "any", "members": ["fetch", "price"]}

    wait: Annotated[Literal["all", "any"] | Positive | None, in_one_sentence(WAIT_RULE)] = None
    wait_for_all: Flag | None = None
    members: list[str] = []


class MapConfig(Part):
    """How a node goes through the elements of its list, besides its handler and params.

    Attributes:
        batch_size: How many elements are one op in Dagster.
        collect_errors: Whether an element that failed leaves an error in its place.
        pipelined: Whether an element starts as soon as the map before has done its own.
        max_failures: It collects errors, as long as no more elements fail than this.
        max_failures_percent: The same, in percent of the elements.
    """

    examples: ClassVar[Examples] = {
        "batch_size": 100,
        "max_failures": 5,
        "max_failures_percent": 10,
    }

    batch_size: Whole | None = None
    collect_errors: Flag = False
    pipelined: Flag = False
    max_failures: Whole | None = None
    max_failures_percent: Whole | None = None


class SubflowConfig(Part):
    """Which flow a node runs, and with what.

    Attributes:
        flow: The slug of the flow.
        input: What it receives: an object that may hold references; without it what any node would.
        output: What the node returns: a reference, or JSON that holds some, to the outputs of the
            final steps of the flow; all of them without it.
        over: The list that it runs over, once for each item: a node before, or a reference.
        mode: Whether it runs inside the run around it, or as a run of its own.
    """

    examples: ClassVar[Examples] = {
        "flow": "payment",
        "input": {"amount": "$nodes.fetch.total"},
        "output": "$nodes.settle.receipt",
        "over": "fetch",
    }

    flow: str
    input: dict[str, Any] | None = None
    output: Output = None
    over: str | None = None
    mode: SubflowMode = "inline"
