"""Lowered flows: as they run, with the body of each loop as a flow of its own.

As it is written, a loop is a step at the end of what it repeats. To run, a flow is lowered:
the body becomes a `LoopBody`, and in its place stands a `LoopNode`, which depends on whatever the
body needs from outside.
"""

from collections.abc import Iterator, Mapping
from functools import cached_property
from graphlib import CycleError
from typing import Literal, cast

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.graph import bodies_of, by_slug, in_order
from dagster_pgflow.model.steps import LoopStep, Step
from dagster_pgflow.model.steps.fields import StepBase


class LoopNode(StepBase):
    """A loop in the flow around it, where its body stands for it.

    Attributes:
        loop: The loop as it is written.
        flow: What its body is called among the flows.
        body: The steps of the body.
        is_root: Whether a step of the body depends on nothing, so that the flow begins with it.
    """

    builder = LoopStep.builder

    type: Literal["loop"] = "loop"
    loop: LoopStep
    flow: str
    body: tuple[str, ...]
    is_root: bool

    def routes_from(self, step: StepBase) -> tuple[str, ...]:
        """Return the steps of the body that the run need not go on with behind a step outside."""
        return tuple(slug for slug in step.targets if slug in self.body)

    def shown_work(self, flow_slug: str, versions: Mapping[str, int]) -> str:
        """Return what the loop does."""
        return self.loop.shown_work(flow_slug, versions)

    @property
    def inner_flow(self) -> str:
        """Its body."""
        return self.flow

    @property
    def targets(self) -> tuple[str, ...]:
        """Those of the loop."""
        return self.loop.targets

    @property
    def failure_steps(self) -> dict[str, str]:
        """Those of the loop."""
        return self.loop.failure_steps


LoweredStep = Step | LoopNode


class LoweredFlow(Flow):
    """A flow with loops as it runs, or the body of one of them.

    Attributes:
        whole: The flow as it is written.
    """

    whole: Flow


class LoopBody(LoweredFlow):
    """What a loop repeats: its steps, some of which depend on steps outside.

    Attributes:
        deciding: The loop: the last step, which decides after each iteration.
        handed: The steps of it that receive something from outside, or from the loop.
    """

    deciding: LoopStep
    handed: frozenset[str]


class LoweredFlows(Mapping[str, Flow]):
    """Flows as they run, and the bodies of their loops, each when it is asked for.

    Args:
        flows: The flows as they are written, by slug.
    """

    def __init__(self, flows: Mapping[str, Flow]) -> None:
        self._flows = flows
        self._parts: dict[str, Flow] = {}

    def __getitem__(self, name: str) -> Flow:
        if name not in self._parts:
            flow = self._flows[name.partition(".")[0]]
            self._parts.update(lowered(flow))
        return self._parts[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._flows)

    def __len__(self) -> int:
        return len(self._flows)


def flow_around(body: LoopBody, flows: Mapping[str, Flow]) -> tuple[Flow, LoopNode]:
    """Return what a loop stands in, its flow or the body of another loop, and the loop there.

    Args:
        body: What the loop repeats.
        flows: Flows as they run.
    """
    whole = whole_of(body)
    loops = (step.slug for step in whole.steps if isinstance(step, LoopStep))
    for name in (whole.slug, *(f"{whole.slug}.{slug}" for slug in loops)):
        for step in flows[name].steps:
            if isinstance(step, LoopNode) and step.flow == body.slug:
                return flows[name], step
    raise KeyError(body.slug)


def whole_of(flow: Flow) -> Flow:
    """Return a flow as it is written, of which something may be a part."""
    return flow.whole if isinstance(flow, LoweredFlow) else flow


def lowered(flow: Flow) -> dict[str, Flow]:
    """Return a flow as it runs under its slug, and the bodies of its loops under theirs."""
    if not any(isinstance(step, LoopStep) for step in flow.steps):
        return {flow.slug: flow}
    try:
        return {part.slug: part for part in _Lowering(flow).all()}
    except CycleError:
        # Such a flow has a job too, which says what is wrong and fails.
        return {flow.slug: flow}


class _Lowering:
    """Lowers one flow."""

    def __init__(self, flow: Flow) -> None:
        self._flow = flow
        self._steps = by_slug(flow)

    @cached_property
    def _bodies(self) -> Mapping[str, tuple[str, ...]]:
        """The steps of each loop's body, the largest first, so that outer loops come first."""
        found = bodies_of(self._steps)
        return dict(sorted(found.items(), key=lambda item: -len(item[1])))

    def all(self) -> Iterator[Flow]:
        """Yield the flow and its bodies, as they run."""
        fields = {name: getattr(self._flow, name) for name in Flow.model_fields}
        yield LoweredFlow.model_construct(
            **fields | {"steps": self._within(None), "whole": self._flow}
        )
        for slug in self._bodies:
            loop = self._steps[slug]
            assert isinstance(loop, LoopStep)  # noqa: S101
            steps = self._within(slug)
            own = {step.slug for step in steps}
            yield LoopBody.model_construct(
                slug=f"{self._flow.slug}.{slug}",
                description=loop.description,
                options=self._flow.options,
                steps=cast("tuple[Step, ...]", steps),
                deciding=loop,
                handed=frozenset(
                    {loop.back_to, slug}
                    | {step.slug for step in steps if not own.issuperset(step.depends_on)}
                ),
                whole=self._flow,
            )

    def _within(self, around: str | None) -> tuple[LoweredStep, ...]:
        """Return the steps of the flow, or of a body, with each loop inside as one step."""
        own = self._steps if around is None else self._bodies[around]
        inner = self._loops_within(around)
        hidden = {slug for loop in inner for slug in self._bodies[loop]}
        kept = [self._steps[slug] for slug in own if slug not in hidden]
        steps: list[LoweredStep] = [*kept, *(self._repeated(slug) for slug in inner)]
        # Passes look for what stands before a step, so the order is that of the dependencies.
        together = Flow.model_construct(slug=self._flow.slug, steps=cast("tuple[Step, ...]", steps))
        return in_order(together)

    def _loops_within(self, around: str | None) -> list[str]:
        """Return the loops that lie in a body, or in the flow, and in no other loop there."""
        own = set(self._steps if around is None else self._bodies[around])
        found: list[str] = []
        for slug, body in self._bodies.items():
            is_inside = slug != around and own.issuperset(body)
            if is_inside and not any(slug in self._bodies[outer] for outer in found):
                found.append(slug)
        return found

    def _repeated(self, slug: str) -> LoopNode:
        loop, body = self._steps[slug], self._bodies[slug]
        assert isinstance(loop, LoopStep)  # noqa: S101
        own = set(body)
        deps = dict.fromkeys(dep for inner in body for dep in self._steps[inner].depends_on)
        return LoopNode.model_construct(
            slug=slug,
            description=loop.description,
            depends_on=tuple(dep for dep in deps if dep not in own),
            loop=loop,
            flow=f"{self._flow.slug}.{slug}",
            body=body,
            is_root=any(not self._steps[inner].depends_on for inner in body),
        )
