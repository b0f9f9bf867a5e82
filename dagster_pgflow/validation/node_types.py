"""Steps of built-in node types have params that their type takes."""

from collections.abc import Iterator
from functools import cache

from pydantic import TypeAdapter, ValidationError

from dagster_pgflow.errors import Problem
from dagster_pgflow.expressions.cel import ROOTS
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.options import retry_policy_of
from dagster_pgflow.model.steps import HandledStep, MapStep
from dagster_pgflow.names import NAMES_KEY, NODE_TYPE_PREFIX
from dagster_pgflow.node_types.config import ConfiguredStep, NodeConfig, ParamProblem
from dagster_pgflow.node_types.known import NODE_TYPES
from dagster_pgflow.node_types.params import params_of_type, problems_in_template
from dagster_pgflow.validation.rule import KnownFlows

ROOTS_OF_AN_ELEMENT = frozenset({"input", "flow_input", "ctx"})
"""What there is in a map step, which receives one element and not what its dependency returned."""


def node_types_are_known_and_configured(flow: Flow, _known: KnownFlows) -> Iterator[Problem]:
    """Check the names of built-in node types, and the configs of their steps."""
    for step in flow.steps:
        if not isinstance(step, HandledStep) or not is_node_type(step.handler):
            continue
        config = NODE_TYPES.get(step.handler or "")
        if config is None:
            yield Problem(
                "unknown-node-type",
                f"steps.{step.slug}.handler",
                f'There is no node type "{step.handler}"; use one of: {", ".join(NODE_TYPES)}.',
            )
            continue
        for problem in _problems(step, config, _configured_step(flow, step)):
            yield problem_of_params(step, problem)


def is_node_type(handler: str | None) -> bool:
    """Return whether a name is kept for the built-in node types."""
    return handler is not None and handler.startswith(NODE_TYPE_PREFIX)


def problem_of_params(step: HandledStep, problem: ParamProblem) -> Problem:
    """Return what is wrong with the params of a step as a problem of its flow."""
    place = f"steps.{step.slug}.params.{problem.place}".removesuffix(".")
    return Problem(problem.code, place, problem.message)


def _problems(
    step: HandledStep, config: type[NodeConfig], site: ConfiguredStep
) -> Iterator[ParamProblem]:
    params = {name: value for name, value in step.params.items() if name != NAMES_KEY}
    adapter = _adapter(config)
    yield from config.problems_as_written(params)
    try:
        made = params_of_type(adapter, params)
    except ValidationError as error:
        yield from problems_in_template(error, adapter, params, str(step.handler), config.literal)
    else:
        yield from made.problems(site)


@cache
def _adapter(config: type[NodeConfig]) -> TypeAdapter[NodeConfig]:
    return TypeAdapter(config)


def _configured_step(flow: Flow, step: HandledStep) -> ConfiguredStep:
    timeout = retry_policy_of(flow.options, step.options).timeout
    if isinstance(step, MapStep):
        return ConfiguredStep(ROOTS_OF_AN_ELEMENT, 0, timeout)
    sources = len(set(step.depends_on))
    roots = frozenset(ROOTS) if sources == 1 else frozenset(ROOTS) - {"output"}
    return ConfiguredStep(roots, sources, timeout)
