"""What a flow is."""

from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from dagster_pgflow.errors import InvalidFlow
from dagster_pgflow.model.arguments import Call
from dagster_pgflow.model.described import Examples
from dagster_pgflow.model.exact import Flag
from dagster_pgflow.model.fluent import FluentSteps
from dagster_pgflow.model.options import FlowOptions
from dagster_pgflow.model.schema import json_schema_of
from dagster_pgflow.model.steps import Step
from dagster_pgflow.model.steps.fields import JsonSchema

JSON_KINDS = (dict, list, str, bool, int, float, type(None))


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

    examples: ClassVar[Examples] = {
        "slug": "nightly",
        "cron": "0 6 * * *",
        "timezone": "Europe/Berlin",
        "input": {"day": "today"},
    }

    slug: str
    cron: str
    timezone: str = "UTC"
    input: Any = Field(default_factory=dict)
    enabled: Flag = True


class Flow(FluentSteps):
    """A flow: steps, what each depends on, and when it starts.

    A flow never changes: every method returns a new one. It may hold problems;
    `validation.validate` lists them all, and nothing invalid can be stored.

    It returns `{final step: output}`; with `merge_output` the objects that its final steps
    returned, laid over each other in the order of the steps.

    Attributes:
        slug: The flow's name: letters, digits and `_`.
        description: What it is for, in a sentence.
        input_schema: JSON Schema of what a run may start with.
        output_schema: JSON Schema of what a run returns.
        merge_output: Whether a run returns the objects of its final steps as one object.
        options: How often its steps are tried, how many of its runs there are at once, and who is
            told of them.
        tags: What Dagster shows beside its job and its runs, and finds them by.
        steps: What is done. The order says nothing about when; `depends_on` does.
        schedules: When it is started.

    Example:
        >>> flow = Flow("order").step("fetch").map("price", depends_on="fetch")
        >>> [step.slug for step in flow.steps]
        ['fetch', 'price']
    """

    examples: ClassVar[Examples] = {
        "slug": "order",
        "description": "From the cart to the receipt.",
        "input_schema": {
            "type": "object",
            "properties": {"order_id": {"type": "string"}},
            "required": ["order_id"],
        },
        "output_schema": {"type": "object"},
        "options": {"max_attempts": 5, "timeout": 30},
        "tags": {"team": "sales"},
        "steps": [
            {"slug": "fetch", "type": "single"},
            {"slug": "charge", "type": "single", "depends_on": ["fetch"]},
        ],
        "schedules": [{"slug": "nightly", "cron": "0 6 * * *"}],
    }

    input_schema: JsonSchema | None = None
    output_schema: JsonSchema | None = None
    merge_output: Flag = False
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
