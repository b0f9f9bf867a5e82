"""What the interpreter writes down of a run."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.steps import LoopStep, Step, SubflowStep
from tests.reference.endings import CANCELLED, StepEnd, Subrun, is_open
from tests.reference.loops import body_of, parts_of


@dataclass(kw_only=True)
class Records:
    """What became of the steps of a run so far.

    Attributes:
        flows: The flows that its flow contains, by slug.
        steps: How each step ended, by its path.
        containers: The paths of subflows and loops.
        subruns: How each flow inside ended.
        lists: How many items subflows have that run once for each.
        failed_items: The items that failed, by the path of their subflow.
    """

    flows: Mapping[str, Flow]
    steps: dict[str, StepEnd] = field(default_factory=dict)
    containers: set[str] = field(default_factory=set)
    subruns: dict[str, Subrun] = field(default_factory=dict)
    lists: dict[str, int] = field(default_factory=dict)
    failed_items: dict[str, Collection[str]] = field(default_factory=dict)

    def cancel_open(self, within: str = "") -> None:
        """Let all that still waits end with what failed: with the run, or a flow inside.

        Args:
            within: The path of what failed; nothing for the whole run.
        """
        inside = (f"{within}.", f"{within}[") if within else ""
        for path, end in self.steps.items():
            if path.startswith(inside) and end.is_open:
                self.steps[path] = CANCELLED
        for path, subrun in self.subruns.items():
            if path.startswith(inside) and is_open(subrun.status):
                self.subruns[path] = replace(subrun, status="cancelled")

    def close(self, step: Step, path: str, inside: StepEnd) -> None:
        """Let all that a step contains end in one way; nothing of it runs."""
        if isinstance(step, SubflowStep):
            self.containers.add(path)
            # Where there is no list there are no items.
            if step.over is None:
                self.subruns[path] = Subrun(inside.status)
                self.close_flow(self.flows[step.flow], path, inside)

    def close_flow(self, flow: Flow, path: str, inside: StepEnd) -> None:
        """Let all steps of a flow end in one way."""
        self.close_part(flow, flow.steps, None, path, inside)

    def close_part(
        self, flow: Flow, steps: Iterable[Step], around: LoopStep | None, path: str, inside: StepEnd
    ) -> None:
        """Let some steps of a flow end in one way, and those of a body."""
        for step in parts_of(flow, steps, around):
            place = f"{path}.{step.slug}"
            self.steps[place] = inside
            if isinstance(step, LoopStep) and step is not around:
                self.containers.add(place)
                # There is a first iteration at least, though it does not begin.
                self.close_part(flow, body_of(flow, step), step, f"{place}[1]", inside)
            else:
                self.close(step, place, inside)
