"""The subflow step: it runs a whole flow, once or for each item of a list."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal

from dagster_pgflow.errors import Problem
from dagster_pgflow.expressions.references import with_steps_renamed
from dagster_pgflow.model.described import Examples
from dagster_pgflow.model.steps.data_map import DataMapFields, KeepingStep
from dagster_pgflow.model.steps.fields import Argument, CommonFields, Host

SubflowMode = Literal["inline", "run"]


class SubflowFields(CommonFields, DataMapFields, total=False):
    """What a subflow step may say besides."""

    flow: str
    input: dict[str, Any]
    output: dict[str, Any] | str
    over: str
    mode: SubflowMode


class SubflowStep(KeepingStep):
    """A step that is a whole flow.

    Attributes:
        flow: The slug of the flow that runs here.
        input: What the flow receives: an object that may hold references (`$nodes.<step>.<path>`
            for the output of a dependency, `$input.<path>` for the flow input around it). Without
            it the flow receives what any step would.
        output: What the step returns: a reference, or JSON that holds some, to the outputs of the
            final steps of the flow (`$nodes.<final step>.<path>`). Without it, all of them.
        over: The list that the flow runs over, once for each item: a dependency, or a reference
            to a list in it or in the flow input. The flow receives the item, or what `input` makes
            of it (`$item.<path>`), and the step returns the list of what it returned.
        mode: Whether the flow runs inside the run of the flow around it, or as a Dagster run of
            its own.
    """

    builder: ClassVar[str] = "subflow"

    examples: ClassVar[Examples] = {
        "flow": "payment",
        "input": {"amount": "$nodes.fetch.total"},
        "output": "$nodes.settle.receipt",
        "over": "fetch",
    }

    type: Literal["subflow"] = "subflow"
    flow: Annotated[str, Argument("a Flow, or the slug of one")]
    input: dict[str, Any] | None = None
    output: Annotated[dict[str, Any] | str | None, Argument("a dict, or text with a reference")] = (
        None
    )
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

    def problems(self) -> Iterator[Problem]:
        """Yield what makes no sense where it runs over a list."""
        if self.over is None:
            return
        for name in ("merge_input", "keep_input"):
            if getattr(self, name):
                yield Problem(
                    "data-map-over-a-list",
                    f"steps.{self.slug}.{name}",
                    f'Step "{self.slug}" runs over a list: its flow receives an item, and it'
                    f" returns a list; leave {name} out.",
                )

    def in_host(self, host: Host) -> dict[str, Any]:
        """Return what it receives, runs over and goes on with, in the names of the host."""
        names = host.names_for(self)
        return super().in_host(host) | {
            "input": with_steps_renamed(self.input, names),
            "over": names.get(self.over or "", with_steps_renamed(self.over, names)),
        }

    def shown_work(self, _flow_slug: str, versions: Mapping[str, int]) -> str:
        """Return which flow it runs, over which list, and where."""
        version = versions.get(self.flow)
        named = f"flow {self.flow}, " + (f"version {version}" if version else "which is not there")
        named = f"{named}, for each of {self.over}" if self.over else named
        named = f"{named}, as a run of its own" if self.is_child_run else named
        return ", ".join([named, *self.shown_data()])
