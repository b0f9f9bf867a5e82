"""What a subflow step gives its flow can be what that flow takes, as far as schemas tell."""

from collections.abc import Iterator, Sequence
from typing import Any

from dagster_pgflow.errors import Problem
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.graph import by_slug
from dagster_pgflow.model.steps import SubflowStep
from dagster_pgflow.validation.loops import loops_by_start
from dagster_pgflow.validation.rule import KnownFlows
from dagster_pgflow.validation.types.json_type import ANYTHING, JsonType, type_of_input
from dagster_pgflow.validation.types.merged import laid_over
from dagster_pgflow.validation.types.outputs import (
    Outputs,
    ReferableTypes,
    Types,
    lost_references,
    type_of,
)
from dagster_pgflow.validation.types.type_problems import TypeProblem, list_problems, type_problems


def subflows_get_what_they_take(flow: Flow, known: KnownFlows) -> Iterator[Problem]:
    """Check the input of each subflow step, with a mapping and without."""
    steps, outputs = by_slug(flow), Outputs(known or {})
    loops = loops_by_start(flow)
    for step in flow.steps:
        if not isinstance(step, SubflowStep) or step.flow == flow.slug:
            continue
        sources = ReferableTypes(outputs.received_by(step, steps), type_of_input(flow.input_schema))
        if step.over is not None:
            items = type_of(step.list_reference, sources)
            yield from _no_list(step, items, sources)
            sources = ReferableTypes(sources.nodes, sources.flow_input, items.elements)
        path = f"steps.{step.slug}.input"
        for place, sentence in lost_references(step.input, sources, path):
            yield Problem("reference-leads-nowhere", place, sentence)
        inner = known.get(step.flow) if known is not None else None
        if inner is not None:
            given = _given(step, sources, loops.get(step.slug, ()))
            wanted = type_of_input(inner.input_schema)
            for problem in dict.fromkeys(
                found for one in given for found in type_problems(one, wanted)
            ):
                yield _problem(step, problem, path)


def _no_list(step: SubflowStep, items: JsonType, sources: ReferableTypes) -> Iterator[Problem]:
    path = f"steps.{step.slug}.over"
    for place, sentence in lost_references(step.list_reference, sources, path):
        yield Problem("reference-leads-nowhere", place, sentence)
    for problem in list_problems(items):
        message = f'Step "{step.slug}" runs over {step.over}, which {problem.reason}.'
        yield Problem("over-is-no-list", path, message)


def _given(step: SubflowStep, sources: ReferableTypes, loops: Sequence[str]) -> list[JsonType]:
    """Return what a flow receives, each time that it runs."""
    if step.input is not None:
        return [type_of(step.input, sources)]
    if step.over is not None:
        return [sources.item]
    if step.merge_input:
        first = laid_over(sources.nodes.values()) if step.depends_on else sources.flow_input
        return [first]
    first = _received(sources.nodes) if step.depends_on else sources.flow_input
    return [first, *(_received(sources.nodes, loop) for loop in loops)]


def _received(nodes: Types, loop: str | None = None) -> JsonType:
    """Return what is received without a mapping; from a loop, too, once it goes back here."""
    fields = {**nodes, **({loop: ANYTHING} if loop else {})}
    return JsonType(
        {
            "type": "object",
            "properties": fields,
            # A dependency that is skipped has no field.
            "required": [loop] if loop else [],
            "additionalProperties": False,
        }
    )


def _problem(step: SubflowStep, problem: TypeProblem, path: str) -> Problem:
    code = {
        "unknown-field": "unknown-input-field",
        "missing-field": "missing-input-field",
        "wrong-type": "wrong-input-type",
    }[problem.kind]
    what = f'"{".".join(problem.place)}"' if problem.place else "it"
    stated = f'Step "{step.slug}" cannot give flow "{step.flow}" this input'
    message = f"{stated}: {what} {problem.reason}"
    if step.input is None and step.over is not None:
        message += f". It is an item of {step.over}; add an input that picks from $item"
    elif step.input is None and step.merge_input:
        message += ". It is what its dependencies returned, laid over each other"
    elif step.input is None and step.depends_on:
        shown = ", ".join(f"{slug}: ..." for slug in dict.fromkeys(step.depends_on))
        message += f". Without a mapping it is {{{shown}}}; add an input that picks the fields"
    return Problem(code, _place(step.input, problem, path), f"{message}.")


def _place(template: Any, problem: TypeProblem, path: str) -> str:
    """Return where in the mapping something stands; below a reference nothing does."""
    for name in problem.place:
        match template:
            case dict() if name in template:
                template, path = template[name], f"{path}.{name}"
            case list() if name.isdecimal():
                template, path = template[int(name)], f"{path}[{name}]"
            case _:
                break
    return path
