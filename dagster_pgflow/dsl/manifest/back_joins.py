"""The joins of a flow as a manifest has them: members on one snapshot, and what merges them."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field

from dagster_pgflow.dsl.manifest.compile_cells import PICK
from dagster_pgflow.dsl.manifest.manifest import Strategy
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.steps import JoinStep, SingleStep, Step
from dagster_pgflow.names import NAMES_KEY


@dataclass(frozen=True)
class Joined:
    """A join of a manifest, as steps.

    Attributes:
        members: Its members in their order.
        strategy: Whether they run beside each other, or one after the other.
        merge: The handler that merges what they returned.
        snapshot: The step whose output all members receive.
        last: The step behind which the run goes on.
        catching: The step that sees to failures of members.
        inside: Steps that stand between members, or catch their failures.
        own: The steps of the join that are no cells.
        names: The names of members that are no slugs.
    """

    members: tuple[str, ...]
    strategy: Strategy
    merge: str | None
    snapshot: str
    last: str
    catching: str
    inside: tuple[str, ...] = ()
    own: tuple[str, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)


def joins_of(flow: Flow, steps: Mapping[str, Step]) -> dict[str, Joined]:
    """Return the joins of a flow by their names.

    Args:
        flow: The flow.
        steps: Its steps by slug.
    """
    found: dict[str, Joined] = {}
    for step in flow.steps:
        if isinstance(step, JoinStep) and step.wait == "all" and step.merge_input:
            snapshot, *rest = step.depends_on
            found[step.slug] = _joined(flow, steps, step, snapshot, rest)
    return found


def _joined(
    flow: Flow, steps: Mapping[str, Step], join: JoinStep, snapshot: str, rest: list[str]
) -> Joined:
    merging = steps[rest[0]]
    merges = (
        len(rest) == 1
        and isinstance(merging, SingleStep)
        and not merging.merge_input
        and snapshot not in merging.depends_on
    )
    members = list(merging.depends_on) if merges else rest
    gates = _gates(steps, members)
    catching = next(
        (
            one.slug
            for one in flow.steps
            if isinstance(one, JoinStep)
            and not one.merge_input
            and [*getattr(one, "members", ())] == members
        ),
        join.slug,
    )
    own = [*gates, *([rest[0]] if merges else []), *([catching] if catching != join.slug else [])]
    names = (
        dict(merging.params.get(NAMES_KEY, {}))
        if merges and isinstance(merging, SingleStep)
        else {}
    )
    return Joined(
        tuple(members),
        "sequential" if gates else "parallel",
        merging.handler if merges and isinstance(merging, SingleStep) else None,
        snapshot,
        join.slug,
        catching,
        tuple(own),
        tuple(own),
        names,
    )


def _gates(steps: Mapping[str, Step], members: list[str]) -> list[str]:
    """Return the steps that keep members waiting for the one before them."""
    found: list[str] = []
    for before, member in itertools.pairwise(members):
        for dep in steps[member].depends_on:
            step = steps[dep]
            if not isinstance(step, SingleStep) or step.handler != PICK or step.merge_input:
                continue
            if before in step.depends_on:
                found.append(dep)
            elif _waits_for_either(steps[step.depends_on[0]], before):
                found += [step.depends_on[0], dep]
    return found


def _waits_for_either(step: Step, before: str) -> bool:
    """Return whether a step waits for a member, however that ends."""
    return isinstance(step, JoinStep) and step.wait == "any" and before in step.depends_on
