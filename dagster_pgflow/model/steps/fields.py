"""What steps have in common, and what each kind of step tells about itself.

A kind is a class with a file of its own. It holds the fields, says what is wrong with a step by
itself, how a step shows to people, and what becomes of it where a fragment is included. Whoever
needs to know one of these asks the step, so that a further kind answers too.
"""

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, Literal, Protocol, TypedDict

from pydantic import BaseModel, ConfigDict, Field

from dagster_pgflow.errors import Problem
from dagster_pgflow.expressions.references import with_steps_renamed
from dagster_pgflow.model.described import Examples
from dagster_pgflow.model.options import Jitter, StepOptions
from dagster_pgflow.names import route_output

WhenUnmet = Literal["fail", "skip", "skip-cascade"]
WhenExhausted = Literal["fail", "skip", "skip-cascade"]
JsonSchema = dict[str, Any]


class CommonFields(TypedDict, total=False):
    """What every kind of step may say, besides its name and what it depends on."""

    description: str
    max_attempts: int
    base_delay: int
    timeout: int
    timeout_ms: int
    max_delay: int
    jitter: Jitter
    start_delay: int
    if_: dict[str, Any]
    if_not: dict[str, Any]
    run_if: str
    run_unless: str
    when_unmet: WhenUnmet
    when_exhausted: WhenExhausted
    on_failure: str | None


class HandledFields(CommonFields, total=False):
    """What steps with a handler may say besides."""

    handler: str
    params: dict[str, Any]
    input_schema: JsonSchema
    output_schema: JsonSchema
    pool: str
    on_timeout: str


@dataclass(frozen=True)
class Argument:
    """How an author may write a field in Python, where its type says less.

    Attributes:
        wanted: What it must be: the end of a sentence.
        read: Returns what documents have in its place; whatever is something else stays.
    """

    wanted: str
    read: Callable[[Any], Any] = lambda given: given


def in_a_tuple(given: Any) -> Any:
    """Return a list for one text, and whatever else it is as it is."""
    return (given,) if isinstance(given, str) else given


SLUGS: Final = Argument("a slug, or a list of slugs", in_a_tuple)
A_SCHEMA: Final = Argument("a JSON Schema, or a type")


class Host(Protocol):
    """A flow that a fragment is included in, as the steps of the fragment need it."""

    def slug_of(self, slug: str) -> str:
        """Return the slug that a step of the fragment has in the host."""

    def names_for(self, step: "StepBase") -> Mapping[str, str]:
        """Return the slugs in the host of all that a step may name."""

    def decisions_of(self, step: "StepBase") -> Mapping[str, str | None]:
        """Return what a step asks in CEL to find out how the run goes on, as it is in the host."""

    def computed_of(self, step: "StepBase") -> Mapping[str, str | None]:
        """Return what a step asks in CEL for a value, as it is in the host."""

    def handler_of(self, step: "HandledStep") -> str:
        """Return the name of the handler of a step, without which it would be sought elsewhere."""

    def known_names(self, step: "HandledStep") -> Mapping[str, str]:
        """Return the names by which a handler knows its dependencies, by their slugs."""


class StepBase(BaseModel):
    """What every kind of step has.

    Attributes:
        type: What kind of step it is, which says what it does and which fields it has.
        slug: The step's name, unique in its flow.
        description: What it is for, in a sentence.
        depends_on: The slugs of the steps whose outputs this one receives.
        options: How often it is tried, and how long an attempt may take; what is not said is taken
            from the flow.
        if_: A JSON pattern that the step's input must contain (PostgreSQL's `@>`).
        if_not: A JSON pattern that the step's input must not contain.
        run_if: A condition in CEL that must hold.
        run_unless: A condition in CEL that must not hold.
        when_unmet: What happens when a condition does not hold.
        when_exhausted: What happens when the last attempt has failed.
        on_failure: The step that the run goes on with when this one failed for good, instead of
            failing itself.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", populate_by_name=True, ser_json_inf_nan="constants"
    )

    if TYPE_CHECKING:
        # Each kind declares it behind the common fields, which is its place in the JSON form.
        @property
        def type(self) -> str:
            """The kind, as documents and SQL call it."""

    builder: ClassVar[str]
    """The method of flows and fragments that adds such a step."""

    not_arguments: ClassVar[frozenset[str]] = frozenset({"type", "options"})
    """The fields that this method does not take."""

    timeout_means: ClassVar[str] = "its last attempt takes too long"
    """When the run goes on with the step that `on_timeout` names."""

    examples: ClassVar[Examples] = {
        "slug": "charge",
        "description": "Takes the money.",
        "depends_on": ["fetch"],
        "options": {"max_attempts": 5},
        "if_": {"paid": False},
        "if_not": {"test": True},
        "run_if": "input.total > 100",
        "run_unless": "nodes.fetch.is_empty",
        "on_failure": "refund",
    }

    slug: str
    description: str = ""
    depends_on: Annotated[tuple[str, ...], SLUGS] = ()
    options: StepOptions = StepOptions()
    if_: dict[str, Any] | None = Field(default=None, alias="if")
    if_not: dict[str, Any] | None = None
    run_if: str | None = None
    run_unless: str | None = None
    when_unmet: WhenUnmet = "skip"
    when_exhausted: WhenExhausted = "fail"
    on_failure: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the step as it is in the definition of a flow, without the defaults."""
        written = self.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        return written | {"type": self.type}

    @property
    def expressions(self) -> dict[str, str]:
        """The conditions in CEL that the step has, by the name of the field."""
        given = {"run_if": self.run_if, "run_unless": self.run_unless}
        return {name: text for name, text in given.items() if text is not None}

    @property
    def conditions(self) -> tuple[str, ...]:
        """The names of the conditions that the step has, patterns and expressions."""
        patterns = {"if": self.if_, "if_not": self.if_not}
        named = [name for name, pattern in patterns.items() if pattern is not None]
        return (*named, *self.expressions)

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
    def computed(self) -> dict[str, str]:
        """What the step asks in CEL for a value before it begins, by the name of the field."""
        return {}

    @property
    def routes(self) -> dict[str, tuple[str, ...]]:
        """The steps that each of the routes leads to that it decides about, by field."""
        return {}

    @property
    def targets(self) -> tuple[str, ...]:
        """The steps that the run goes on with only if it takes the route to them, once each."""
        return ()

    def route_output(self, target: str) -> str:
        """Return the name of the op's output that leads to one of its targets."""
        return route_output(target)

    @property
    def routed(self) -> frozenset[str]:
        """The dependents that run on some of the routes behind the step only."""
        return frozenset((*self.targets, *self.failure_steps.values()))

    @property
    def failure_steps(self) -> dict[str, str]:
        """The steps that the run goes on with when this one failed, by the name of the field."""
        return {} if self.on_failure is None else {"on_failure": self.on_failure}

    def failure_step(self, *, timed_out: bool) -> str | None:
        """Return the step that the run goes on with when this one failed, if there is one.

        Args:
            timed_out: Whether its last attempt took too long.
        """
        steps = self.failure_steps
        return steps.get("on_timeout" if timed_out else "on_failure", steps.get("on_failure"))

    def problems(self) -> Iterator[Problem]:
        """Yield what is wrong with the step by itself, whatever else is in its flow."""
        yield from ()

    def shown_data(self) -> Iterator[str]:
        """Yield what becomes of its input on the way, as `dagster-pgflow show` has it."""
        yield from ()

    def described_data(self) -> Iterator[str]:
        """Yield the same in sentences, for Dagster's page of the op."""
        yield from ()

    def in_host(self, host: Host) -> dict[str, Any]:
        """Return the fields of its kind that are others where a fragment with it is included."""
        return {name: host.slug_of(slug) for name, slug in self.failure_steps.items()}

    @abstractmethod
    def shown_work(self, flow_slug: str, versions: Mapping[str, int]) -> str:
        """Return what the step does, as `dagster-pgflow show` has it.

        Args:
            flow_slug: Its flow.
            versions: The versions of the flows that the flow runs, by slug.
        """

    def shown_routes(self) -> Iterator[str]:
        """Yield how a run goes on behind the step, where that is not plain, in the same way."""
        for name, slug in self.failure_steps.items():
            yield f"{name.replace('_', ' ')}: {slug}"

    def described_routes(self) -> Iterator[str]:
        """Yield when it runs and how a run goes on behind it, for Dagster's page of the op."""
        for name, slug in self.failure_steps.items():
            when = self.timeout_means if name == "on_timeout" else "it fails"
            yield f"When {when}: `{slug}`."


class HandledStep(StepBase):
    """A step whose work is done by a handler.

    Attributes:
        handler: The registered name of the handler; without it `<flow>.<step>`, else `<step>`.
        params: Constants that the handler finds in `ctx.params`.
        input_schema: JSON Schema of what the handler takes, when it says so.
        output_schema: JSON Schema of what the handler returns, when it says so.
        pool: The pool of Dagster that each op of the step takes a slot of, under our prefix.
        on_timeout: The step that the run goes on with when its last attempt took too long, in place
            of the one that `on_failure` names.
    """

    not_arguments = StepBase.not_arguments | {"input_schema", "output_schema"}
    """The schemas come with the handler."""

    examples: ClassVar[Examples] = {
        "handler": "shop.charge",
        "params": {"currency": "EUR", "amount": "$nodes.fetch.total"},
        "input_schema": {"type": "object"},
        "output_schema": {"type": "object", "properties": {"receipt": {"type": "string"}}},
        "pool": "payments",
        "on_timeout": "ask_again",
    }

    handler: Annotated[
        str | None, Argument("the name of a handler, or a function with @handler before it")
    ] = None
    params: dict[str, Any] = Field(default_factory=dict)
    input_schema: Annotated[JsonSchema | None, A_SCHEMA] = None
    output_schema: Annotated[JsonSchema | None, A_SCHEMA] = None
    pool: str | None = None
    on_timeout: str | None = None

    @property
    def failure_steps(self) -> dict[str, str]:
        """The steps that the run goes on with when this one failed, or took too long."""
        if self.on_timeout is None:
            return super().failure_steps
        return {**super().failure_steps, "on_timeout": self.on_timeout}

    @property
    def needs_handler(self) -> bool:
        """Always."""
        return True

    def in_host(self, host: Host) -> dict[str, Any]:
        """Return its params with the names of the host, and the handler by its whole name."""
        fields = super().in_host(host)
        fields["params"] = with_steps_renamed(self.params, host.names_for(self))
        return fields | ({"handler": host.handler_of(self)} if self.needs_handler else {})

    def shown_work(self, flow_slug: str, _versions: Mapping[str, int]) -> str:
        """Return the name of the handler, how the step goes about it, and its pool."""
        name = self.handler or f"{flow_slug}.{self.slug}"
        if not self.needs_handler:
            name = "hands on what it receives"
        pool = [f"in pool {self.pool}"] if self.pool and self.needs_handler else []
        return ", ".join([name, *self.shown_manner(), *self.shown_data(), *pool])

    def shown_manner(self) -> Iterator[str]:
        """Yield how the step calls its handler, where it is not plainly once."""
        yield from ()


def listed(slugs: tuple[str, ...]) -> str:
    """Return the steps that a route leads to, for Dagster's page of the op."""
    return ", ".join(f"`{slug}`" for slug in slugs) or "nothing"
