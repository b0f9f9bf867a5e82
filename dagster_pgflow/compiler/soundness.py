"""Whether a stored flow can be compiled, with all that it contains."""

from collections.abc import Iterator

from pydantic import ValidationError

from dagster_pgflow.errors import Problem
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.step import HandledStep, Step, SubflowStep
from dagster_pgflow.node_types.params import flaws_in_template, params_of_type
from dagster_pgflow.runtime.handlers import HandlerRegistry
from dagster_pgflow.runtime.own_names import params_for_handler
from dagster_pgflow.runtime.sources import Flows
from dagster_pgflow.validation.fields import fields_can_be_there
from dagster_pgflow.validation.node_types import is_node_type, problem_of_params
from dagster_pgflow.validation.validate import validate


def problems_of(
    flow: Flow, flows: Flows, handlers: HandlerRegistry | None = None
) -> tuple[Problem, ...]:
    """Return what keeps a flow from running, its subflows included.

    Args:
        flow: The flow.
        flows: The flows of the code location by slug.
        handlers: Its handlers; without them, what they take is not looked at.
    """
    found: list[Problem] = []
    seen: set[str] = set()
    waiting = [flow]
    while waiting:
        current = waiting.pop()
        if current.slug in seen:
            continue
        seen.add(current.slug)
        found += _own_problems(
            current, flows, handlers, prefix="" if current is flow else current.slug
        )
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
        if not isinstance(step, HandledStep) or is_node_type(step.handler):
            continue
        found = handlers.find(flow.slug, step.slug, step.handler)
        if found is None or found.params_adapter is None:
            continue
        params = params_for_handler(step)
        try:
            params_of_type(found.params_adapter, params)
        except ValidationError as error:
            for flaw in flaws_in_template(error, found.params_adapter, params, found.name):
                yield problem_of_params(step, flaw)


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


def _own_problems(
    flow: Flow, flows: Flows, handlers: HandlerRegistry | None, prefix: str
) -> list[Problem]:
    problems = list(validate(flow, flows))
    if handlers is not None:
        problems += problems_of_params(flow, handlers)
        problems += problems_of_fields(flow, flows, handlers)
    if not flow.steps:
        message = f'Flow "{flow.slug}" has no steps yet; add one with pgflow.add_step.'
        problems.append(Problem("no-steps", "steps", message))
    if not prefix:
        return problems
    return [Problem(p.code, f"{prefix}.{p.path}", p.message) for p in problems]
