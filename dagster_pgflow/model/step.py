"""What a step is: the kinds of steps and what they have in common."""

from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, Strict, ValidationError, WrapValidator
from pydantic_core import PydanticCustomError

from dagster_pgflow.model.options import StepOptions

WhenUnmet = Literal["fail", "skip", "skip-cascade"]
WhenExhausted = Literal["fail", "skip", "skip-cascade"]
SubflowMode = Literal["inline", "run"]
JsonSchema = dict[str, Any]
WAIT_RULE = '"all", "any" or a number'


class StepBase(BaseModel):
    """What every kind of step has.

    Attributes:
        slug: The step's name, unique in its flow.
        depends_on: The slugs of the steps whose outputs this one receives.
        if_: A JSON pattern that the step's input must contain (PostgreSQL's `@>`).
        if_not: A JSON pattern that the step's input must not contain.
        run_if: A condition in CEL that must hold.
        run_unless: A condition in CEL that must not hold.
        when_unmet: What happens when a condition does not hold.
        when_exhausted: What happens when the last attempt has failed.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", populate_by_name=True, ser_json_inf_nan="constants"
    )

    slug: str
    description: str = ""
    depends_on: tuple[str, ...] = ()
    options: StepOptions = StepOptions()
    if_: dict[str, Any] | None = Field(default=None, alias="if")
    if_not: dict[str, Any] | None = None
    run_if: str | None = None
    run_unless: str | None = None
    when_unmet: WhenUnmet = "skip"
    when_exhausted: WhenExhausted = "fail"

    @property
    def expressions(self) -> dict[str, str]:
        """The conditions in CEL that the step has, by the name of the field."""
        given = {"run_if": self.run_if, "run_unless": self.run_unless}
        return {name: text for name, text in given.items() if text is not None}

    @property
    def inner_flow(self) -> str | None:
        """The flow whose graph stands for the step, if there is one."""
        return None

    @property
    def needs_handler(self) -> bool:
        """Whether there is nothing to do without a handler."""
        return False

    @property
    def decisions(self) -> dict[str, str]:
        """What the step asks in CEL to find out how the run goes on, by the name of the field."""
        return {}

    @property
    def ways(self) -> dict[str, tuple[str, ...]]:
        """The steps that each of the ways leads to that it decides about, by field."""
        return {}

    @property
    def targets(self) -> tuple[str, ...]:
        """The steps that the run goes on with only if it takes the way to them, once each."""
        return ()


class HandledStep(StepBase):
    """A step whose work is done by a handler.

    Attributes:
        handler: The registered name of the handler; without it `<flow>.<step>`, else `<step>`.
        params: Constants that the handler finds in `ctx.params`.
        input_schema: JSON Schema of what the handler takes, when it says so.
        output_schema: JSON Schema of what the handler returns, when it says so.
        pool: The pool of Dagster that each op of the step takes a slot of, under our prefix.
    """

    handler: str | None = None
    params: dict[str, Any] = Field(default_factory=dict)
    input_schema: JsonSchema | None = None
    output_schema: JsonSchema | None = None
    pool: str | None = None

    @property
    def needs_handler(self) -> bool:
        """Always."""
        return True


class SingleStep(HandledStep):
    """A step that runs once."""

    type: Literal["single"] = "single"


class MapStep(HandledStep):
    """A step that runs once per element of a list: the flow input, or its dependency's output.

    Attributes:
        batch_size: How many elements one Dagster op handles; chosen by the size when absent.
        collect_errors: Whether an element whose last attempt failed leaves the step alone, and an
            error in its place.
        pipelined: Whether an element starts as soon as the map step before has done its own,
            instead of when all are done.
        max_failures: The step collects errors, as long as no more elements fail than this.
        max_failures_percent: The same, in percent of the elements.
    """

    type: Literal["map"] = "map"
    batch_size: int | None = None
    collect_errors: bool = False
    pipelined: bool = False
    max_failures: int | None = None
    max_failures_percent: int | None = None

    @property
    def collects(self) -> bool:
        """Whether an element may fail without the step."""
        return self.collect_errors or self.bounds_failures

    @property
    def bounds_failures(self) -> bool:
        """Whether the step fails when too many of its elements do."""
        return self.max_failures is not None or self.max_failures_percent is not None

    def bears(self, failures: int, elements: int) -> bool:
        """Say whether so many failures among so many elements leave a step that collects alone."""
        few = self.max_failures is None or failures <= self.max_failures
        percent = self.max_failures_percent
        return few and (percent is None or failures * 100 <= percent * elements)


class SubflowStep(StepBase):
    """A step that is a whole flow.

    Attributes:
        flow: The slug of the flow that runs here.
        input: What the flow receives: an object that may hold references (`$nodes.<step>.<path>`
            for the output of a dependency, `$input.<path>` for the flow input around it). Without
            it the flow receives what any step would.
        output: What the step returns: a reference, or JSON that holds some, to the outputs of the
            final steps of the flow (`$nodes.<final step>.<path>`). Without it, all of them.
        on_failure: The step that goes on when the flow fails here, instead of the run failing.
        over: The list that the flow runs over, once for each item: a dependency, or a reference
            to a list in it or in the flow input. The flow receives the item, or what `input` makes
            of it (`$item.<path>`), and the step returns the list of what it returned.
        mode: Whether the flow runs inside the run of the flow around it, or as a Dagster run of
            its own.
    """

    type: Literal["subflow"] = "subflow"
    flow: str
    input: dict[str, Any] | None = None
    output: dict[str, Any] | str | None = None
    on_failure: str | None = None
    over: str | None = None
    mode: SubflowMode = "inline"

    @property
    def is_child_run(self) -> bool:
        """Whether the flow runs as a Dagster run of its own."""
        return self.mode == "run"

    @property
    def inner_flow(self) -> str | None:
        """The flow that it runs, unless that is a run of its own."""
        return None if self.is_child_run else self.flow

    @property
    def list_reference(self) -> str | None:
        """The list that the flow runs over as a reference, also where `over` is a dependency."""
        if self.over is None or self.over.startswith("$"):
            return self.over
        return f"$nodes.{self.over}"


class Rule(BaseModel):
    """One of the rules of a branch.

    Attributes:
        when: A condition in CEL.
        then: The steps that the run goes on with when it is the first rule that holds.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    when: str
    then: tuple[str, ...]


class BranchStep(HandledStep):
    """A step that decides which of the steps behind it run: those of the first rule that holds.

    Without a handler it hands on what it receives: the output of its only dependency,
    `{dep: output}` of several, the flow input at the root of a flow.

    Attributes:
        rules: What decides, in this order.
        default_path: The steps that the run goes on with when no rule holds; the path may end.
    """

    type: Literal["branch"] = "branch"
    rules: tuple[Rule, ...]
    default_path: tuple[str, ...] = ()

    @property
    def needs_handler(self) -> bool:
        """Whether a handler is named."""
        return self.handler is not None

    @property
    def decisions(self) -> dict[str, str]:
        """The conditions of the rules."""
        return {f"rules[{index}].when": rule.when for index, rule in enumerate(self.rules)}

    @property
    def ways(self) -> dict[str, tuple[str, ...]]:
        """Where each rule leads, and the default path."""
        ways = {f"rules[{index}].then": rule.then for index, rule in enumerate(self.rules)}
        return ways | {"default_path": self.default_path}

    @property
    def targets(self) -> tuple[str, ...]:
        """The steps that rules lead to, and those of the default path."""
        named = [slug for rule in self.rules for slug in rule.then]
        return tuple(dict.fromkeys([*named, *self.default_path]))


def _in_one_sentence(given: Any, read: Callable[[Any], Any]) -> Any:
    """Read how many dependencies a join waits for; pydantic has a sentence for each form."""
    try:
        return read(given)
    except ValidationError:
        raise PydanticCustomError("wait", f"Input should be {WAIT_RULE}") from None


class JoinStep(StepBase):
    """A step where paths come together; its output is `{dep: output}` of those that did.

    Attributes:
        wait: How many dependencies must have completed: `all` that any other step would need,
            `any` of them, or a number. With fewer the step is skipped.
    """

    type: Literal["join"] = "join"
    wait: Annotated[
        Literal["all", "any"] | Annotated[int, Strict()], WrapValidator(_in_one_sentence)
    ] = "all"

    @property
    def least(self) -> int | None:
        """How many dependencies must have completed, unless it is as for any other step."""
        return {"all": None, "any": 1}.get(self.wait) if isinstance(self.wait, str) else self.wait


MOST_PASSES_IN_A_JOB = 100
"""With more passes than that, each is a Dagster run of its own."""


class LoopStep(HandledStep):
    """A step that has the steps before it run again, as long as a condition holds.

    What is repeated, its body, are the steps on the way from `back_to` to this one. Without a
    handler it hands on what it receives, as a branch does.

    Attributes:
        back_to: The first step of the body. From the second pass on it receives, under the slug
            of the loop, what this step returned in the pass before.
        condition: A condition in CEL; while it holds, the body runs again.
        max_iterations: How often the body runs at most.
        break_path: The steps that the run goes on with once the condition does not hold.
        timeout_path: The steps that it goes on with when the condition still holds after the last
            pass.
    """

    type: Literal["loop"] = "loop"
    back_to: str
    condition: str
    max_iterations: int
    break_path: tuple[str, ...] = ()
    timeout_path: tuple[str, ...] = ()

    @property
    def needs_handler(self) -> bool:
        """Whether a handler is named."""
        return self.handler is not None

    @property
    def decisions(self) -> dict[str, str]:
        """What it asks after each pass."""
        return {"condition": self.condition}

    def runs_passes(self, *, in_items: bool) -> bool:
        """Say whether each pass is a Dagster run of its own, and no graph of the job.

        Args:
            in_items: Whether its flow, or one around it, runs once for each item of a list: there
                Dagster cannot bring the passes together again.
        """
        return in_items or self.max_iterations > MOST_PASSES_IN_A_JOB

    @property
    def ways(self) -> dict[str, tuple[str, ...]]:
        """Where it leads once the condition does not hold, and when it still does at the end."""
        return {"break_path": self.break_path, "timeout_path": self.timeout_path}

    @property
    def targets(self) -> tuple[str, ...]:
        """The steps of both paths, but for those that both lead to."""
        both = set(self.break_path) & set(self.timeout_path)
        named = dict.fromkeys([*self.break_path, *self.timeout_path])
        return tuple(slug for slug in named if slug not in both)


Step = Annotated[
    SingleStep | MapStep | SubflowStep | BranchStep | JoinStep | LoopStep,
    Field(discriminator="type"),
]
