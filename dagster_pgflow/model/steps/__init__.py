"""Every kind of step, and what is derived from them; each kind has a file of its own.

Whoever takes steps apart by kind does so with `match` and ends in `assert_never`, so that a kind
that is added here is a type error wherever it was forgotten.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, get_args

from pydantic import Field

from dagster_pgflow.model.steps.approval import ApprovalFields, ApprovalStep
from dagster_pgflow.model.steps.assets import AssetStep
from dagster_pgflow.model.steps.branch import BranchFields, BranchStep
from dagster_pgflow.model.steps.fields import Argument, HandledStep
from dagster_pgflow.model.steps.guarded import GuardedStep
from dagster_pgflow.model.steps.hooked import HookedStep
from dagster_pgflow.model.steps.join import JoinFields, JoinStep
from dagster_pgflow.model.steps.loop import LoopFields, LoopStep
from dagster_pgflow.model.steps.map import MapFields, MapStep
from dagster_pgflow.model.steps.single import SingleFields, SingleStep
from dagster_pgflow.model.steps.sleep import SleepFields, SleepStep
from dagster_pgflow.model.steps.subflow import SubflowFields, SubflowStep
from dagster_pgflow.model.steps.wait import SignalFields, WaitStep
from dagster_pgflow.model.steps.waiting import WaitingStep

_AnyStep = (
    SingleStep
    | MapStep
    | SubflowStep
    | BranchStep
    | JoinStep
    | LoopStep
    | ApprovalStep
    | WaitStep
    | SleepStep
)
Step = Annotated[_AnyStep, Field(discriminator="type")]
StepType = Literal[
    "single", "map", "subflow", "branch", "join", "loop", "approval", "wait", "sleep"
]


class StepFields(
    SingleFields,
    MapFields,
    SubflowFields,
    BranchFields,
    JoinFields,
    LoopFields,
    ApprovalFields,
    SignalFields,
    SleepFields,
    total=False,
):
    """What a step of any kind may say, besides its name and what it depends on."""

    step_type: StepType


KINDS: Mapping[str, type[_AnyStep]] = {
    kind.model_fields["type"].default: kind for kind in get_args(_AnyStep)
}
"""The kinds of steps by their types."""

ARGUMENTS: Mapping[str, Argument] = {
    name: argument
    for kind in KINDS.values()
    for name, field in kind.model_fields.items()
    for argument in field.metadata
    if isinstance(argument, Argument)
}
"""How an author may write the fields of steps in Python, where their types say less."""


def builders_with(argument: str) -> tuple[str, ...]:
    """Return the methods of flows that take an argument of steps.

    Args:
        argument: Its name.
    """
    return tuple(
        kind.builder
        for kind in KINDS.values()
        if argument in kind.model_fields and argument not in kind.not_arguments
    )


def as_documents_have_them(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a step as documents write them, where an author may write less.

    Args:
        arguments: The fields; rules may be pairs, and one slug may stand for a list.
    """
    return {
        name: ARGUMENTS[name].read(given) if name in ARGUMENTS else given
        for name, given in arguments.items()
    }


__all__ = [
    "ARGUMENTS",
    "KINDS",
    "ApprovalStep",
    "AssetStep",
    "BranchStep",
    "GuardedStep",
    "HandledStep",
    "HookedStep",
    "JoinStep",
    "LoopStep",
    "MapStep",
    "SingleStep",
    "SleepStep",
    "Step",
    "StepFields",
    "StepType",
    "SubflowStep",
    "WaitStep",
    "WaitingStep",
    "as_documents_have_them",
    "builders_with",
]
