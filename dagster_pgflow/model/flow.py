"""What a flow is, and the fluent way to write one in Python."""

from collections.abc import Sequence
from typing import Any, Protocol, Self, TypedDict, Unpack, runtime_checkable

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from dagster_pgflow.errors import InvalidFlow
from dagster_pgflow.model.arguments import Call
from dagster_pgflow.model.options import FlowOptions, Jitter, StepOptions
from dagster_pgflow.model.schema import json_schema_of
from dagster_pgflow.model.step import (
    JsonSchema,
    MapStep,
    SingleStep,
    Step,
    SubflowStep,
    WhenExhausted,
    WhenUnmet,
)

JSON_KINDS = (dict, list, str, bool, int, float, type(None))


@runtime_checkable
class NamedHandler(Protocol):
    """A handler that knows its registered name and the schemas of what it takes and returns."""

    name: str

    @property
    def input_schema(self) -> JsonSchema | None:
        """What it takes."""

    @property
    def output_schema(self) -> JsonSchema | None:
        """What it returns."""


class Schedule(BaseModel):
    """A cron row that starts the flow.

    Attributes:
        slug: The schedule's name, unique in its flow.
        cron: Five cron fields.
        timezone: An IANA time zone.
        input: The flow input of the runs that it starts.
        enabled: Whether Dagster starts with the schedule turned on.
    """

    # JSON has no infinity; whoever writes the JSON says so, instead of reading null in its place.
    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")

    slug: str
    cron: str
    timezone: str = "UTC"
    input: Any = Field(default_factory=dict)
    enabled: bool = True


class StepSettings(TypedDict, total=False):
    """The keyword arguments that every kind of step takes in the fluent interface."""

    depends_on: Sequence[str] | str
    description: str
    max_attempts: int
    base_delay: int
    timeout: int
    max_delay: int
    jitter: Jitter
    start_delay: int
    if_: dict[str, Any]
    if_not: dict[str, Any]
    run_if: str
    run_unless: str
    when_unmet: WhenUnmet
    when_exhausted: WhenExhausted


class Flow(BaseModel):
    """A flow: steps, what each depends on, and when it starts.

    A flow never changes: every method returns a new one. It may hold mistakes;
    `validation.validate` lists them all, and nothing invalid can be stored.

    Example:
        >>> flow = Flow("order").step("fetch").map("price", depends_on="fetch")
        >>> [step.slug for step in flow.steps]
        ['fetch', 'price']
    """

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")

    slug: str
    description: str = ""
    input_schema: JsonSchema | None = None
    output_schema: JsonSchema | None = None
    options: FlowOptions = FlowOptions()
    tags: dict[str, str] = Field(default_factory=dict)
    steps: tuple[Step, ...] = ()
    schedules: tuple[Schedule, ...] = ()

    def __init__(self, slug: str | None = None, /, **data: Any) -> None:
        """Create a flow; the keyword arguments are the fields, and those of `FlowOptions`.

        Args:
            slug: The flow's name.
            **data: The fields of the flow. `input_schema` and `output_schema` may also be types
                (such as pydantic models), and the options (`max_attempts`, `timeout`, ...) may
                stand here without `options` around them.

        Raises:
            InvalidFlow: There is no such argument, or it cannot be what it is.
        """
        if slug is not None:
            data["slug"] = slug
        short = {name: data.pop(name) for name in FlowOptions.model_fields if name in data}
        if short:
            data["options"] = _with_options(data.get("options"), short)
        for name in ("input_schema", "output_schema"):
            if name in data:
                data[name] = _schema(data[name])
        try:
            super().__init__(**data)
        except ValidationError as error:
            if slug is None:
                raise  # A document is being read; who reads it knows what its fields are called.
            takes = [*type(self).model_fields, *FlowOptions.model_fields]
            problems = Call(str(slug), "Flow()", "", takes).problems_of(error)
            raise InvalidFlow(str(slug), list(problems)) from None

    def step(
        self,
        slug: str,
        handler: str | NamedHandler | None = None,
        *,
        params: dict[str, Any] | None = None,
        **settings: Unpack[StepSettings],
    ) -> Self:
        """Return this flow with one more step, which runs its handler once.

        Args:
            slug: The step's name.
            handler: A handler or its name; `<flow>.<step>` or `<step>` when absent.
            params: Constants for the handler (`ctx.params`).
            **settings: See `StepSettings`.

        Raises:
            InvalidFlow: There is no such argument, or it cannot be what it is.
        """
        own = {"handler": handler, "params": params or {}}
        return self._with(SingleStep, ".step()", slug, own, settings)

    def map(
        self,
        slug: str,
        handler: str | NamedHandler | None = None,
        *,
        params: dict[str, Any] | None = None,
        batch_size: int | None = None,
        collect_errors: bool = False,
        pipelined: bool = False,
        **settings: Unpack[StepSettings],
    ) -> Self:
        """Return this flow with one more step, which runs its handler once per element.

        Args:
            slug: The step's name.
            handler: A handler or its name; `<flow>.<step>` or `<step>` when absent.
            params: Constants for the handler (`ctx.params`).
            batch_size: How many elements one Dagster op handles.
            collect_errors: Whether an element that fails for good leaves an error in its place.
            pipelined: Whether an element starts as soon as the map step before has done its own.
            **settings: See `StepSettings`; at most one dependency.

        Raises:
            InvalidFlow: There is no such argument, or it cannot be what it is.
        """
        own = {
            "handler": handler,
            "params": params or {},
            "batch_size": batch_size,
            "collect_errors": collect_errors,
            "pipelined": pipelined,
        }
        return self._with(MapStep, ".map()", slug, own, settings)

    def subflow(
        self,
        slug: str,
        flow: "str | Flow",
        *,
        input: dict[str, Any] | None = None,
        output: dict[str, Any] | str | None = None,
        on_failure: str | None = None,
        over: str | None = None,
        **settings: Unpack[StepSettings],
    ) -> Self:
        """Return this flow with one more step, which runs a whole flow.

        Args:
            slug: The step's name.
            flow: The flow that runs here, or its slug.
            input: What the flow receives, with references such as `$nodes.cart.total`,
                `$input.customer`.
            output: What the step returns, with references to the final steps of the flow.
            on_failure: The step that goes on when the flow fails here.
            over: The list that the flow runs over, once for each item: a dependency, or a
                reference such as `$nodes.cart.items`, `$input.orders`.
            **settings: See `StepSettings`.

        Raises:
            InvalidFlow: There is no such argument, or it cannot be what it is.
        """
        own = {
            "flow": flow.slug if isinstance(flow, Flow) else flow,
            "input": input,
            "output": output,
            "on_failure": on_failure,
            "over": over,
        }
        return self._with(SubflowStep, ".subflow()", slug, own, settings)

    def schedule(self, slug: str, cron: str, *, timezone: str = "UTC", input: Any = None) -> Self:
        """Return this flow with a schedule that starts it.

        Args:
            slug: The schedule's name.
            cron: Five cron fields.
            timezone: An IANA time zone.
            input: The flow input of its runs; `{}` when absent.

        Raises:
            InvalidFlow: An argument cannot be what it is.
        """
        fields = {
            "slug": slug,
            "cron": cron,
            "timezone": timezone,
            "input": {} if input is None else input,
        }
        call = Call(self.slug, ".schedule()", f"schedules.{slug}", tuple(fields))
        added = call.make(Schedule, fields, ())
        return self.model_copy(update={"schedules": (*self.schedules, added)})

    def to_json(self) -> dict[str, Any]:
        """Return the definition as JSON values, without the defaults."""
        document = self.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        for written, step in zip(document.get("steps", ()), self.steps, strict=True):
            written["type"] = step.type
        return document

    def _with(
        self,
        kind: type[SingleStep | MapStep | SubflowStep],
        written: str,
        slug: str,
        own: dict[str, Any],
        settings: StepSettings,
    ) -> Self:
        takes = (*own, *StepSettings.__annotations__)
        strangers = [name for name in settings if name not in takes]
        known = {name: value for name, value in settings.items() if name in takes}
        call = Call(self.slug, written, f"steps.{slug}", takes)
        step = call.make(kind, {"slug": slug} | _step_fields(own | known), strangers)
        return self.model_copy(update={"steps": (*self.steps, step)})


def _with_options(given: Any, short: dict[str, Any]) -> Any:
    """Add the options that stand beside `options` to those in it."""
    match given:
        case FlowOptions():
            return given.model_dump(exclude_none=True) | short
        case dict():
            return given | short
        case None:
            return short
        case _:
            return given


def _schema(given: Any) -> Any:
    """Return the schema of a type; JSON is left as it is, for the field to judge.

    Text must never be taken for a type: pydantic would evaluate it as Python.
    """
    return given if isinstance(given, JSON_KINDS) else json_schema_of(given)


def _step_fields(arguments: dict[str, Any]) -> dict[str, Any]:
    fields = dict(arguments)
    if isinstance(fields.get("depends_on"), str):
        fields["depends_on"] = (fields["depends_on"],)
    if isinstance(handler := fields.get("handler"), NamedHandler):
        fields |= {
            "handler": handler.name,
            "input_schema": handler.input_schema,
            "output_schema": handler.output_schema,
        }
    options = {name: fields.pop(name) for name in StepOptions.model_fields if name in fields}
    return fields | {"options": options}
