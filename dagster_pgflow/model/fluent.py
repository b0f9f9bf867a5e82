"""The fluent way to write steps down in Python, which flows and fragments share."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol, Self, Unpack, runtime_checkable

from pydantic import ConfigDict

from dagster_pgflow.errors import InvalidFlow
from dagster_pgflow.model.arguments import Call
from dagster_pgflow.model.fluent_settings import (
    DataMapSettings,
    MapSettings,
    MergingSettings,
    StepSettings,
    WorkSettings,
)
from dagster_pgflow.model.fluent_waiting import FluentWaits
from dagster_pgflow.model.inclusion import Includable, Inclusion
from dagster_pgflow.model.inclusion_rules import problems_of_inclusion
from dagster_pgflow.model.options import StepOptions
from dagster_pgflow.model.steps import (
    BranchStep,
    HandledStep,
    JoinStep,
    LoopStep,
    MapStep,
    SingleStep,
    Step,
    SubflowStep,
    as_documents_have_them,
)
from dagster_pgflow.model.steps.branch import WrittenRule
from dagster_pgflow.model.steps.fields import JsonSchema
from dagster_pgflow.model.steps.subflow import SubflowMode


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


@runtime_checkable
class NamedFlow(Protocol):
    """A flow, which a subflow step can run."""

    @property
    def slug(self) -> str:
        """Its name."""

    def to_json(self) -> dict[str, Any]:
        """Return its definition."""


class FluentSteps(FluentWaits):
    """Steps under one name, and the methods that return the same with one thing more."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")

    slug: str
    description: str = ""
    if TYPE_CHECKING:
        # Each class declares it in its own place, which is its place in the JSON form.
        steps: tuple[Step, ...] = ()

    def step(
        self,
        slug: str,
        handler: str | NamedHandler | None = None,
        *,
        params: dict[str, Any] | None = None,
        pool: str | None = None,
        on_timeout: str | None = None,
        **settings: Unpack[WorkSettings],
    ) -> Self:
        """Return this with one more step, which runs its handler once.

        Args:
            slug: The step's name.
            handler: A handler or its name; `<flow>.<step>` or `<step>` when absent.
            params: Constants for the handler (`ctx.params`).
            pool: The pool of slots that it shares with all runs.
            on_timeout: The step that goes on when its last attempt took too long.
            **settings: See `WorkSettings`.

        Raises:
            InvalidFlow: There is no such argument, or it cannot be what it is.
        """
        own = {
            "handler": handler,
            "params": params or {},
            "pool": pool,
            "on_timeout": on_timeout,
        }
        return self._with(SingleStep, slug, own, settings)

    def map(
        self,
        slug: str,
        handler: str | NamedHandler | None = None,
        *,
        params: dict[str, Any] | None = None,
        pool: str | None = None,
        on_timeout: str | None = None,
        batch_size: int | None = None,
        collect_errors: bool = False,
        pipelined: bool = False,
        max_failures: int | None = None,
        max_failures_percent: int | None = None,
        **settings: Unpack[MapSettings],
    ) -> Self:
        """Return this with one more step, which runs its handler once per element.

        Args:
            slug: The step's name.
            handler: A handler or its name; `<flow>.<step>` or `<step>` when absent.
            params: Constants for the handler (`ctx.params`).
            pool: The pool of slots that it shares with all runs.
            on_timeout: The step that goes on when its last attempt took too long.
            batch_size: How many elements one Dagster op handles.
            collect_errors: Whether an element that fails for good leaves an error in its place.
            pipelined: Whether an element starts as soon as the map step before has done its own.
            max_failures: How many elements may fail and leave errors in their places.
            max_failures_percent: The same, in percent of the elements.
            **settings: See `MapSettings`; at most one dependency.

        Raises:
            InvalidFlow: There is no such argument, or it cannot be what it is.
        """
        own = {
            "handler": handler,
            "params": params or {},
            "pool": pool,
            "on_timeout": on_timeout,
            "batch_size": batch_size,
            "collect_errors": collect_errors,
            "pipelined": pipelined,
            "max_failures": max_failures,
            "max_failures_percent": max_failures_percent,
        }
        return self._with(MapStep, slug, own, settings)

    def subflow(
        self,
        slug: str,
        flow: str | NamedFlow,
        *,
        input: dict[str, Any] | None = None,
        output: dict[str, Any] | str | None = None,
        over: str | None = None,
        mode: SubflowMode = "inline",
        **settings: Unpack[DataMapSettings],
    ) -> Self:
        """Return this with one more step, which runs a whole flow.

        Args:
            slug: The step's name.
            flow: The flow that runs here, or its slug.
            input: What the flow receives, with references such as `$nodes.cart.total`,
                `$input.customer`.
            output: What the step returns, with references to the final steps of the flow.
            over: The list that the flow runs over, once for each item: a dependency, or a
                reference such as `$nodes.cart.items`, `$input.orders`.
            mode: Whether the flow runs inside the run of this one (`inline`), or as a Dagster run
                of its own (`run`).
            **settings: See `DataMapSettings`.

        Raises:
            InvalidFlow: There is no such argument, or it cannot be what it is.
        """
        own = {
            "flow": flow.slug if isinstance(flow, NamedFlow) else flow,
            "input": input,
            "output": output,
            "over": over,
            "mode": mode,
        }
        return self._with(SubflowStep, slug, own, settings)

    def branch(
        self,
        slug: str,
        *,
        rules: Sequence[WrittenRule],
        default_path: Sequence[str] | str = (),
        handler: str | NamedHandler | None = None,
        params: dict[str, Any] | None = None,
        pool: str | None = None,
        on_timeout: str | None = None,
        **settings: Unpack[WorkSettings],
    ) -> Self:
        """Return this with one more step, which decides which of the steps behind it run.

        Args:
            slug: The step's name.
            rules: Pairs of a condition in CEL and the step or steps that it leads to; the first
                one that holds counts. The steps depend on this one.
            default_path: The steps that the run goes on with when no rule holds.
            handler: A handler or its name; without it the step hands on what it receives.
            params: Constants for the handler (`ctx.params`).
            pool: The pool of slots that it shares with all runs.
            on_timeout: The step that goes on when its last attempt took too long.
            **settings: See `WorkSettings`.

        Raises:
            InvalidFlow: There is no such argument, or it cannot be what it is.
        """
        own = {
            "rules": rules,
            "default_path": default_path,
            "handler": handler,
            "params": params or {},
            "pool": pool,
            "on_timeout": on_timeout,
        }
        return self._with(BranchStep, slug, own, settings)

    def join(
        self,
        slug: str,
        *,
        wait: Literal["all", "any"] | int = "all",
        members: Sequence[str] | str = (),
        **settings: Unpack[MergingSettings],
    ) -> Self:
        """Return this with one more step, where paths come together.

        Args:
            slug: The step's name.
            wait: How many dependencies must have completed.
            members: With `on_failure`, the dependencies whose failures fail the join and not the
                run; all of them when there are none.
            **settings: See `MergingSettings`.

        Raises:
            InvalidFlow: There is no such argument, or it cannot be what it is.
        """
        return self._with(JoinStep, slug, {"wait": wait, "members": members}, settings)

    def loop(
        self,
        slug: str,
        *,
        back_to: str,
        condition: str,
        max_iterations: int,
        break_path: Sequence[str] | str = (),
        timeout_path: Sequence[str] | str = (),
        handler: str | NamedHandler | None = None,
        params: dict[str, Any] | None = None,
        pool: str | None = None,
        on_timeout: str | None = None,
        **settings: Unpack[WorkSettings],
    ) -> Self:
        """Return this with one more step, which has the steps before it run again.

        Args:
            slug: The step's name.
            back_to: The first of the steps that are repeated.
            condition: A condition in CEL; while it holds, they run again.
            max_iterations: How often they run at most.
            break_path: The steps that the run goes on with once the condition does not hold.
            timeout_path: The steps that it goes on with when it still holds after the last
                iteration.
            handler: A handler or its name; without it the step hands on what it receives.
            params: Constants for the handler (`ctx.params`).
            pool: The pool of slots that it shares with all runs.
            on_timeout: The step that goes on when its last attempt took too long.
            **settings: See `WorkSettings`.

        Raises:
            InvalidFlow: There is no such argument, or it cannot be what it is.
        """
        own = {
            "back_to": back_to,
            "condition": condition,
            "max_iterations": max_iterations,
            "break_path": break_path,
            "timeout_path": timeout_path,
            "handler": handler,
            "params": params or {},
            "pool": pool,
            "on_timeout": on_timeout,
        }
        return self._with(LoopStep, slug, own, settings)

    def include(
        self,
        fragment: Includable,
        prefix: str,
        *,
        depends_on: Mapping[str, str] | Sequence[str] | str = (),
        exits: Mapping[str, Sequence[str] | str] | None = None,
    ) -> Self:
        """Return this with the steps of a fragment, each under the slug `<prefix>_<slug>`.

        Args:
            fragment: The fragment; its steps become steps like all others.
            prefix: What the slugs begin with; another one each time that a fragment is included.
            depends_on: The steps, in the flow already, that the fragment's entry waits for; where
                the fragment knows them by other names, `{its name: slug}`.
            exits: For each exit of the fragment the steps, in the flow already, that depend on
                it; none, if it leads nowhere or only to steps that are added later.

        Raises:
            InvalidFlow: With all that keeps the fragment from being included.
        """
        call = Call(
            self.slug,
            ".include()",
            f"include.{prefix}",
            ("fragment", "prefix", "depends_on", "exits"),
            type(self).__name__,
        )
        fields = {
            "fragment": fragment,
            "prefix": prefix,
            "depends_on": depends_on,
            "exits": {} if exits is None else exits,
        }
        inclusion = call.make(Inclusion, fields, ())
        problems = tuple(problems_of_inclusion(inclusion, self.steps))
        if problems:
            raise InvalidFlow(self.slug, problems, type(self).__name__)
        return self.model_copy(update={"steps": inclusion.added_to(self.steps)})

    def _with(
        self,
        kind: type[Step],
        slug: str,
        own: dict[str, Any],
        settings: StepSettings,
    ) -> Self:
        takes = (*own, *_settings_of(kind).__annotations__)
        strangers = [name for name in settings if name not in takes]
        known = {name: value for name, value in settings.items() if name in takes}
        call = Call(self.slug, f".{kind.builder}()", f"steps.{slug}", takes, type(self).__name__)
        step = call.make(kind, {"slug": slug} | _step_fields(own | known), strangers)
        return self.model_copy(update={"steps": (*self.steps, step)})


def _settings_of(kind: type[Step]) -> type[StepSettings]:
    """Return the keyword arguments that the method takes besides its own."""
    if issubclass(kind, MapStep):
        return MapSettings
    if issubclass(kind, JoinStep):
        return MergingSettings
    return WorkSettings if issubclass(kind, HandledStep) else DataMapSettings


def _step_fields(arguments: dict[str, Any]) -> dict[str, Any]:
    fields = as_documents_have_them(arguments)
    if isinstance(handler := fields.get("handler"), NamedHandler):
        fields |= {
            "handler": handler.name,
            "input_schema": handler.input_schema,
            "output_schema": handler.output_schema,
        }
    options = {name: fields.pop(name) for name in StepOptions.model_fields if name in fields}
    return fields | {"options": options}
