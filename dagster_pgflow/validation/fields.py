"""What expressions and references ask for can be there, as far as schemas tell for certain.

A schema that is closed lists all fields that there are: another one would never have a value, and
a condition that asks for it would never have an answer. Of all other schemas nothing is said here.
"""

from collections.abc import Iterator, Mapping

from dagster_pgflow.errors import Problem
from dagster_pgflow.expressions.paths import FieldPath, paths_in
from dagster_pgflow.expressions.references import texts_in, well_formed_references_in
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.graph import by_slug
from dagster_pgflow.model.steps import AssetStep, HandledStep, MapStep, Step
from dagster_pgflow.model.steps.data_map import merges_input
from dagster_pgflow.model.steps.fields import StepBase
from dagster_pgflow.names import NAMES_KEY
from dagster_pgflow.node_types.known import literal_fields
from dagster_pgflow.validation.loops import loops_by_start
from dagster_pgflow.validation.rule import KnownFlows
from dagster_pgflow.validation.types.json_type import (
    ANYTHING,
    FieldProblem,
    JsonType,
    type_of_input,
)
from dagster_pgflow.validation.types.merged import laid_over
from dagster_pgflow.validation.types.outputs import Outputs, ReferableTypes, followed

CODE = "unknown-field"
"""Of a field that a closed schema does not have."""


def fields_can_be_there(flow: Flow, known: KnownFlows) -> Iterator[Problem]:
    """Check what each step asks for in CEL, and the references in its params and keys of assets."""
    steps, outputs, loops = by_slug(flow), Outputs(known or {}), loops_by_start(flow)
    flow_input = type_of_input(flow.input_schema)
    for step in flow.steps:
        nodes = outputs.received_by(step, steps)
        roots = _roots(step, nodes, flow_input, starts_loop=step.slug in loops)
        before = {name: roots[name] for name in roots if name != "output"}
        if len(nodes) == 1:
            before["output"] = next(iter(nodes.values()))
        yield from _of_expressions(step, {**step.expressions, **step.computed}, before)
        yield from _of_expressions(step, step.decisions, roots)
        if isinstance(step, HandledStep):
            yield from _of_params(step, ReferableTypes(nodes, flow_input), before)


def _roots(
    step: Step, nodes: Mapping[str, JsonType], flow_input: JsonType, *, starts_loop: bool
) -> dict[str, JsonType]:
    """Return what the roots of a step's expressions are, once it has an output."""
    # Whether a step that it names is a dependency, is not told here.
    deps = JsonType({"type": "object", "properties": dict(nodes), "additionalProperties": True})
    if starts_loop:
        # From its second iteration on it receives what the loop returned, too.
        deps = ANYTHING
    merged = laid_over(nodes.values()) if not starts_loop else ANYTHING
    given = (merged if merges_input(step) else deps) if step.depends_on else flow_input
    if starts_loop and not step.depends_on:
        given = ANYTHING
    own = Outputs({}).of_step(step) if step.decisions and step.needs_handler else ANYTHING
    return {"flow_input": flow_input, "input": given, "deps": deps, "output": own}


def _of_expressions(
    step: StepBase, asked: Mapping[str, str], roots: Mapping[str, JsonType]
) -> Iterator[Problem]:
    for name, text in asked.items():
        for path in paths_in(text, tuple(roots)):
            problem = _problem_at(path, roots[path.root])
            if problem is not None:
                yield Problem(CODE, f"steps.{step.slug}.{name}", _sentence(path, problem))


def _of_params(
    step: HandledStep, sources: ReferableTypes, roots: Mapping[str, JsonType]
) -> Iterator[Problem]:
    expressions = literal_fields(step.handler)
    template = {
        name: value
        for name, value in step.params.items()
        if name not in expressions and name != NAMES_KEY
    }
    templates = {"params": template} | (step.asset_templates if isinstance(step, AssetStep) else {})
    for place, found in well_formed_references_in(templates, f"steps.{step.slug}"):
        problem = followed(found, sources)
        if isinstance(problem, FieldProblem) and problem.is_certain:
            yield Problem(CODE, place, f"{found} leads nowhere: {problem.reason}.")
    if isinstance(step, MapStep):
        # What it works on is one element.
        roots = {"flow_input": roots["flow_input"]}
    for name in expressions:
        for place, text in texts_in(step.params.get(name), f"params.{name}"):
            yield from _of_expressions(step, {place: text}, roots)


def _problem_at(path: FieldPath, here: JsonType) -> FieldProblem | None:
    """Return why there is nothing at a path; nothing when there may be."""
    reached: tuple[str | int, ...] = ()
    for part in path.parts:
        if isinstance(part, int) and here.resolved().kinds != {"array"}:
            return None
        found = here.field(str(part))
        if isinstance(found, FieldProblem):
            shown = FieldPath(path.root, reached).text
            told = found.reason.replace("it is", "is").replace("its fields are", "has the fields")
            advice = f'; "{found.meant}" may be meant' if found.meant else ""
            return FieldProblem(f"{shown} {told}{advice}") if found.is_certain else None
        here, reached = found, (*reached, part)
    return None


def _sentence(path: FieldPath, problem: FieldProblem) -> str:
    return f"`{path.text}` is never there: {problem.reason}."
