"""The references of a step lead to steps that have an output there."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, assert_never

from dagster_pgflow.errors import InvalidReference, Problem
from dagster_pgflow.expressions.references import (
    INPUT,
    ITEM,
    NODES,
    Reference,
    reference,
    references_in,
    texts_in,
    well_formed_references_in,
)
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.graph import leaves
from dagster_pgflow.model.steps import (
    ApprovalStep,
    AssetStep,
    BranchStep,
    JoinStep,
    LoopStep,
    MapStep,
    SingleStep,
    SleepStep,
    SubflowStep,
    WaitStep,
)
from dagster_pgflow.model.steps.fields import StepBase
from dagster_pgflow.names import NAMES_KEY
from dagster_pgflow.node_types.known import literal_fields
from dagster_pgflow.validation.loops import loops_by_start
from dagster_pgflow.validation.rule import KnownFlows
from dagster_pgflow.validation.types.outputs import references_of


def references_lead_to_steps(flow: Flow, known: KnownFlows) -> Iterator[Problem]:
    """Check params, keys of assets, and what subflow steps receive and return.

    The final steps of a flow are known only where the flow is.
    """
    slugs = {step.slug for step in flow.steps}
    loops = loops_by_start(flow)
    for step in flow.steps:
        match step:
            case SubflowStep():
                yield from _malformed(step)
                yield from _of_input(step, slugs, loops.get(step.slug, ()))
                inner = None if known is None or step.flow == flow.slug else known.get(step.flow)
                yield from _of_output(step, inner)
            case SingleStep() | MapStep() | BranchStep() | LoopStep():
                yield from _of_params(step, slugs, loops.get(step.slug, ()))
                yield from _of_assets(step, slugs, loops.get(step.slug, ()))
            case ApprovalStep():
                yield from _of_prompt(step, slugs, loops.get(step.slug, ()))
            case JoinStep() | WaitStep() | SleepStep():
                continue
            case _:
                assert_never(step)


def _malformed(step: SubflowStep) -> Iterator[Problem]:
    if step.list_reference is not None:
        try:
            reference(step.list_reference)
        except InvalidReference as invalid:
            yield Problem("invalid-reference", f"steps.{step.slug}.over", str(invalid))
    yield from _malformed_in(step, {"input": step.input, "output": step.output})


def _malformed_in(step: StepBase, templates: Mapping[str, Any]) -> Iterator[Problem]:
    for field, template in templates.items():
        for place, text in texts_in(template, f"steps.{step.slug}.{field}"):
            try:
                list(references_in(text))
            except InvalidReference as invalid:
                yield Problem("invalid-reference", place, str(invalid))


def _of_input(step: SubflowStep, slugs: set[str], loops: Sequence[str]) -> Iterator[Problem]:
    places = [
        *texts_in(step.input, f"steps.{step.slug}.input"),
        *texts_in(step.over, f"steps.{step.slug}.over"),
    ]
    for place, text in places:
        for found in references_of(text):
            if found.root == ITEM and (step.over is None or place.endswith(".over")):
                yield _no_item(step, place, found)
            if found.step is not None and found.step not in step.depends_on:
                yield _no_dependency(step, place, found, slugs, loops)


def _of_params(step: AssetStep, slugs: set[str], loops: Sequence[str]) -> Iterator[Problem]:
    literal = {NAMES_KEY, *literal_fields(step.handler)}
    template = {name: value for name, value in step.params.items() if name not in literal}
    yield from _of_template(step, "params", template, slugs, loops)


def _of_assets(step: AssetStep, slugs: set[str], loops: Sequence[str]) -> Iterator[Problem]:
    yield from _malformed_in(step, step.asset_templates)
    for field, template in step.asset_templates.items():
        yield from _of_template(step, field, template, slugs, loops)


def _of_template(
    step: AssetStep, field: str, template: Any, slugs: set[str], loops: Sequence[str]
) -> Iterator[Problem]:
    for place, found in well_formed_references_in(template, f"steps.{step.slug}.{field}"):
        if isinstance(step, MapStep) and found.root == NODES:
            yield Problem(
                "reference-to-no-dependency",
                place,
                f'{found} cannot be referred to by map step "{step.slug}", which receives one'
                " element at a time; refer to $item or $input (and write $$ for a text that begins"
                " with $).",
            )
        elif found.root == ITEM and not isinstance(step, MapStep):
            yield Problem(
                "reference-to-no-item",
                place,
                f"{found} has no item to refer to here; only the {field} of a map step can have"
                " one.",
            )
        elif found.step is not None and found.step not in step.depends_on:
            yield _no_dependency(step, place, found, slugs, loops)


def _of_prompt(step: ApprovalStep, slugs: set[str], loops: Sequence[str]) -> Iterator[Problem]:
    for place, found in well_formed_references_in(step.prompt, f"steps.{step.slug}.prompt"):
        if found.root == ITEM:
            yield Problem(
                "reference-to-no-item",
                place,
                f"{found} has no item to refer to here; a flow that runs for each item of a list"
                " receives it: refer to $input.",
            )
        elif found.step is not None and found.step not in step.depends_on:
            yield _no_dependency(step, place, found, slugs, loops)


def _no_dependency(
    step: StepBase, place: str, found: Reference, slugs: set[str], loops: Sequence[str]
) -> Problem:
    advice = "it can refer to steps that it depends on, and to $input"
    if found.step in loops:
        advice = (
            "what that loop returned is there from its second iteration on; let it go back to a"
            " single"
            " step that chooses, and refer to that one"
        )
    elif found.step in slugs - {step.slug}:
        advice = f'add "{found.step}" to its depends_on'
    return Problem(
        "reference-to-no-dependency",
        place,
        f'{found} refers to "{found.step}", which step "{step.slug}" does not depend on; {advice}.',
    )


def _no_item(step: SubflowStep, place: str, found: Reference) -> Problem:
    return Problem(
        "reference-to-no-item",
        place,
        f"{found} has no item to refer to here; only the input of a step that runs over a list has"
        f' one: give step "{step.slug}" an over, or refer to something else.',
    )


def _of_output(step: SubflowStep, inner: Flow | None) -> Iterator[Problem]:
    final = None if inner is None or not inner.steps else [one.slug for one in leaves(inner)]
    for place, text in texts_in(step.output, f"steps.{step.slug}.output"):
        for found in references_of(text):
            if found.root == ITEM:
                yield _no_item(step, place, found)
            elif found.root == INPUT:
                yield Problem(
                    "reference-to-flow-input",
                    place,
                    f'{found} cannot be part of what step "{step.slug}" returns; refer to final'
                    f' steps of flow "{step.flow}": $nodes.<final step>.',
                )
            elif final is not None and found.step not in final:
                yield Problem(
                    "reference-to-no-final-step",
                    place,
                    f'{found} refers to "{found.step}", which is not a final step of flow'
                    f' "{step.flow}"; use one of: {", ".join(final)}.',
                )
