"""What a trigger is: an event, and the flow that it starts."""

from typing import Any, Final, Literal, assert_never, get_args

from pydantic import BaseModel, ConfigDict

from dagster_pgflow.model.exact import Flag

EventOfRun = Literal[
    "run.completed", "run.failed", "run.cancelled", "step.waiting", "step.reminder"
]
"""How a run may end, that a step of it waits, and that somebody is to be reminded of that."""

TriggerEvent = Literal[
    "run.completed",
    "run.failed",
    "run.cancelled",
    "step.waiting",
    "step.reminder",
    "asset.materialized",
    "signal",
]
"""What a trigger looks at."""

Verdict = Literal["pending", "fired", "not_met", "failed", "refused", "dropped"]
"""What a trigger made of an event."""

EVENTS_OF_RUNS: Final = frozenset[str](get_args(EventOfRun))


class Trigger(BaseModel):
    """A row that has a flow started by what happens.

    Attributes:
        name: Its name, a slug; no other trigger of the store has it.
        on_event: What it looks at.
        target_flow: The flow that it starts.
        source_flow: The flow whose runs are meant; without it every other flow of the tenant.
        asset_key: The asset that is meant, as Dagster shows its key: `a/b`.
        signal_name: The signal that is meant.
        condition: CEL over `event`; without one each event counts.
        input: The input of the run, in which `$event.x` stands for a part of the event; without
            one the input is the event.
        enabled: Whether it looks at events at all.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")

    name: str
    on_event: TriggerEvent
    target_flow: str
    source_flow: str | None = None
    asset_key: str | None = None
    signal_name: str | None = None
    condition: str | None = None
    input: Any = None
    enabled: Flag = True

    @property
    def source(self) -> str:
        """What it looks at, for people."""
        match self.on_event:
            case "asset.materialized":
                return f"asset {self.asset_key}"
            case "signal":
                return f"signal {self.signal_name}"
            case "step.waiting":
                return f"a step of {self._of} waits"
            case "step.reminder":
                return f"a reminder of {self._of}"
            case "run.completed" | "run.failed" | "run.cancelled":
                return f"{self._of} {self.on_event.removeprefix('run.')}"
            case _:
                assert_never(self.on_event)

    @property
    def _of(self) -> str:
        return self.source_flow or "any other flow"
