"""Whether a stored flow can be compiled, with all that it contains."""

from collections.abc import Collection, Iterator

from pydantic import ValidationError

from dagster_pgflow.errors import Problem
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.steps import HandledStep, HookedStep, Step, SubflowStep
from dagster_pgflow.node_types.known import literal_fields
from dagster_pgflow.node_types.params import params_of_type, problems_in_template
from dagster_pgflow.runtime.handlers import HandlerRegistry
from dagster_pgflow.runtime.input_parts import Flows
from dagster_pgflow.runtime.own_names import params_for_handler
from dagster_pgflow.validation.fields import fields_can_be_there
from dagster_pgflow.validation.node_types import is_node_type, problem_of_params
from dagster_pgflow.validation.validate import validate


def problems_of(
    flow: Flow,
    flows: Flows,
    handlers: HandlerRegistry | None = None,
    resources: Collection[str] | None = None,
) -> tuple[Problem, ...]:
    """Return what keeps a flow from running, its subflows included.

    Args:
        flow: The flow.
        flows: The flows of the code location by slug.
        handlers: Its handlers; without them, what they take is not looked at.
        resources: The keys of its resources; without them, whether they are there is not either.
    """
    found: list[Problem] = []
    seen: set[str] = set()
    waiting = [flow]
    while waiting:
        current = waiting.pop()
        if current.slug in seen:
            continue
        seen.add(current.slug)
        own = [*_own_problems(current, flows, handlers)]
        if resources is not None:
            own += problems_of_resources(current, resources)
        prefix = "" if current is flow else f"{current.slug}."
        found += [Problem(p.code, f"{prefix}{p.path}", p.message) for p in own]
        inner = {step.flow for step in current.steps if isinstance(step, SubflowStep)}
        waiting += [flows[slug] for slug in sorted(inner - seen) if slug in flows]
    return tuple(found)


def problems_of_params(flow: Flow, handlers: HandlerRegistry) -> Iterator[Problem]:
    """Yield where steps have params that their handlers do not take.

    Args:
        flow: The flow; what its built-in node types take, validation knows.
        handlers: The handlers of a code location.
    """
    for step in flow.steps:
        if not isinstance(step, HandledStep):
            continue
        if is_node_type(step.handler) and step.handler not in handlers.handlers:
            continue
        found = handlers.find(flow.slug, step.slug, step.handler)
        if found is None or found.params_adapter is None:
            continue
        params = params_for_handler(step)
        try:
            params_of_type(found.params_adapter, params)
        except ValidationError as error:
            literal = literal_fields(step.handler)
            for problem in problems_in_template(
                error, found.params_adapter, params, found.name, literal
            ):
                yield problem_of_params(step, problem)


def problems_of_fields(flow: Flow, flows: Flows, handlers: HandlerRegistry) -> Iterator[Problem]:
    """Yield where steps ask for what others cannot return, by what their handlers say of it.

    Args:
        flow: The flow; what its definition says itself, validation knows.
        flows: The flows that it contains, by slug.
        handlers: The handlers of a code location.
    """
    steps = tuple(_with_output_schema(flow, step, handlers) for step in flow.steps)
    known = set(fields_can_be_there(flow, flows))
    told = fields_can_be_there(flow.model_copy(update={"steps": steps}), flows)
    yield from (problem for problem in told if problem not in known)


def _with_output_schema(flow: Flow, step: Step, handlers: HandlerRegistry) -> Step:
    if not isinstance(step, HandledStep) or step.output_schema is not None:
        return step
    found = handlers.find(flow.slug, step.slug, step.handler)
    schema = found.output_schema if found is not None else None
    return step if schema is None else step.model_copy(update={"output_schema": schema})


def problems_of_resources(flow: Flow, resources: Collection[str]) -> Iterator[Problem]:
    """Yield where steps require resources that are not here.

    Args:
        flow: The flow.
        resources: The keys of those that are.
    """
    for step in flow.steps:
        if not isinstance(step, HookedStep):
            continue
        for index, name in enumerate(step.requires):
            if name not in resources:
                yield Problem(
                    "missing-resource",
                    f"steps.{step.slug}.requires[{index}]",
                    f'Step "{step.slug}" requires the resource "{name}", and this code location'
                    " has none of that name; give it one in resources=..., or leave it out.",
                )


def _own_problems(flow: Flow, flows: Flows, handlers: HandlerRegistry | None) -> list[Problem]:
    problems = list(validate(flow, flows))
    if handlers is not None:
        problems += problems_of_params(flow, handlers)
        problems += problems_of_fields(flow, flows, handlers)
    if not flow.steps:
        message = f'Flow "{flow.slug}" has no steps yet; add one with pgflow.add_step.'
        problems.append(Problem("no-steps", "steps", message))
    return problems
