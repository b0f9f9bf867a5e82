"""What an op is there for, as the compiler says: the same in every run."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import dagster as dg

from dagster_pgflow.model.cut_off import CutOff, cut_off_by
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.graph import dependents
from dagster_pgflow.model.lowered import LoopBody, LoweredStep, whole_of
from dagster_pgflow.model.steps import BranchStep, HandledStep, MapStep, SubflowStep
from dagster_pgflow.runtime.handlers import Handler, HandlerRegistry
from dagster_pgflow.runtime.hooks import Around, hooks_of
from dagster_pgflow.runtime.input_parts import Flows, InputPart, input_names
from dagster_pgflow.runtime.op_run_inside import ChildJob

Inputs = Mapping[str, Any]

AssetKeyOf = Callable[[Flow, LoweredStep, str], dg.AssetKey]
"""Returns the key in Dagster of an asset that a step of a flow names."""


class TooEarly(Exception):
    """The step has a start delay, and it is not over.

    Attributes:
        seconds: How long to wait.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        super().__init__(f"It starts in {seconds:.1f} s, because its start_delay says so.")


@dataclass(frozen=True)
class OpWork:
    """What one op does: a step of a flow, or help for one.

    Attributes:
        flow: The flow that the op belongs to.
        step: The step that it is, or helps.
        parts: What the step receives, where the op puts that together.
        feeds: The map steps whose batches it sends out, or the subflow whose items.
        flows: Every flow of the code location by slug.
        handlers: Its handlers.
        in_items: Whether the flow, or one around it, runs once for each item of a list.
        child_job: Returns the job of a flow, or of an iteration of a loop, that is a run of its
            own.
        asset_key: Returns the key in Dagster of an asset that a step of a flow names, or raises
            `InvalidFlow`.
    """

    flow: Flow
    step: LoweredStep
    parts: tuple[InputPart, ...]
    feeds: tuple[MapStep | SubflowStep, ...]
    flows: Flows
    handlers: HandlerRegistry
    in_items: bool = False
    child_job: Callable[[str], ChildJob] = field(kw_only=True)
    asset_key: AssetKeyOf = field(kw_only=True)

    @cached_property
    def input_names(self) -> dict[InputPart, str]:
        """The name of the op input for each part."""
        return input_names(self.parts)

    @cached_property
    def handler(self) -> Handler | None:
        """The step's handler, when it needs one and this code location registers it."""
        if not isinstance(self.step, HandledStep) or not self.step.needs_handler:
            return None
        return self.handlers.find(whole_of(self.flow).slug, self.step.slug, self.step.handler)

    @cached_property
    def cut_off(self) -> CutOff:
        """The steps behind a branch that Dagster skips, where the flow is not inside another."""
        if not isinstance(self.step, BranchStep) or isinstance(self.flow, LoopBody):
            return {}
        return cut_off_by(self.step, dependents(whole_of(self.flow)), self.flows)

    @cached_property
    def hooks(self) -> Around:
        """The handlers around the step's own that this code location registers."""
        return hooks_of(self.step, self.handlers)
