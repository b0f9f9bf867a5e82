"""Flows as workflow documents, from which `read_workflow` makes flows that do the same."""

from collections.abc import Sequence
from typing import Any, Final, assert_never

from dagster_pgflow.dsl.workflow.shape import DEFAULT_ATTEMPTS
from dagster_pgflow.dsl.workflow.tags import metadata_of
from dagster_pgflow.dsl.workflow.unsayable import unsayable
from dagster_pgflow.dsl.workflow.ways import ALWAYS
from dagster_pgflow.dsl.workflow.work import (
    DEFAULT_BASE_DELAY,
    HANDLER_KEYS,
    HANDLERS,
    MS,
    MS_OF_BASE_DELAY,
    OWN_CONFIG,
    PARAMS_KEY,
)
from dagster_pgflow.dsl.workflow.written_edges import WrittenEdges, written_edges
from dagster_pgflow.errors import InvalidFlow
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.graph import dependents
from dagster_pgflow.model.options import DEFAULT_TIMEOUT, FlowOptions, effort_of
from dagster_pgflow.model.step import (
    BranchStep,
    HandledStep,
    JoinStep,
    LoopStep,
    MapStep,
    SingleStep,
    Step,
    SubflowStep,
)

TYPES: Final = {handler: kind for kind, handler in HANDLERS.items()}


def write_workflow(flow: Flow) -> dict[str, Any]:
    """Return the workflow document that describes a flow.

    What holds for all steps of the flow (attempts, delays, timeouts) stands at each node. Nothing
    else changes on the way: a flow that was read from a document comes back as it was.

    Args:
        flow: A sound flow.

    Raises:
        InvalidFlow: With all that documents cannot say.
    """
    problems = tuple(unsayable(flow))
    if problems:
        raise InvalidFlow(flow.slug, problems)
    after = dependents(flow)
    parallel = {step.slug for step in flow.steps if _is_parallel(step, after[step.slug])}
    edges = written_edges(flow, parallel)
    about = {"name": flow.slug, "description": flow.description}
    return {
        "metadata": {key: text for key, text in about.items() if text} | metadata_of(flow.tags),
        "nodes": [_node(step, flow.options, parallel, edges) for step in flow.steps],
        "edges": [edge.to_json() for edge in edges.edges],
    }


def _node(
    step: Step, options: FlowOptions, parallel: set[str], edges: WrittenEdges
) -> dict[str, Any]:
    node: dict[str, Any] = {"id": step.slug}
    match step:
        case SingleStep():
            node |= _work(step, "function")
        case JoinStep():
            node["type"] = "join"
            node |= {} if step.wait == "all" else {"config": {"wait": step.wait}}
        case BranchStep():
            node |= _work(step, "parallel" if step.slug in parallel else "conditional")
            node |= {} if edges.decide(step) else {"branch": _branch(step)}
        case LoopStep():
            node |= _repeated(step)
        case MapStep() | SubflowStep():
            raise AssertionError(f"{step.slug} was refused before.")
        case _:
            assert_never(step)
    if step.description:
        node["description"] = step.description
    return node | _patience(step, options)


def _is_parallel(step: Step, after: Sequence[Step]) -> bool:
    """Say whether a step is a branch that takes every way."""
    if not isinstance(step, BranchStep) or step.default_path or step.handler in TYPES:
        return False
    behind = {one.slug for one in after}
    return [rule.when for rule in step.rules] == [ALWAYS] and set(step.targets) == behind


def _work(step: HandledStep, kind: str) -> dict[str, Any]:
    """Return the type of a node, which its handler may tell, and its config."""
    if step.handler in TYPES:
        return {"type": TYPES[step.handler]} | _config(step.params)
    return {"type": kind} | _config(_named(step) | _params(step, kind))


def _config(config: dict[str, Any]) -> dict[str, Any]:
    return {"config": config} if config else {}


def _named(step: HandledStep) -> dict[str, Any]:
    return {} if step.handler is None else {HANDLER_KEYS[0]: step.handler}


def _params(step: HandledStep, kind: str) -> dict[str, Any]:
    """Return the params as the config has them: apart where their names mean something else."""
    taken = {*OWN_CONFIG.get(kind, ()), *HANDLER_KEYS, PARAMS_KEY}
    return {PARAMS_KEY: step.params} if taken & step.params.keys() else step.params


def _branch(step: BranchStep) -> dict[str, Any]:
    rules = [{"condition": rule.when, "next_nodes": [*rule.then]} for rule in step.rules]
    return {"rules": rules, "default": [*step.default_path]}


def _repeated(step: LoopStep) -> dict[str, Any]:
    paths = {"break_path": [*step.break_path], "timeout_path": [*step.timeout_path]}
    loop = {
        "max_iterations": step.max_iterations,
        "loop_back_to": step.back_to,
        "condition": step.condition,
        **{name: path for name, path in paths.items() if path},
    }
    if step.handler in TYPES:
        return _work(step, "loop") | {"loop": loop}
    return {"type": "loop", "config": _named(step) | loop | _params(step, "loop")}


def _patience(step: Step, options: FlowOptions) -> dict[str, Any]:
    effort = effort_of(options, step.options)
    retry: dict[str, Any] = {}
    if effort.max_attempts != DEFAULT_ATTEMPTS:
        retry["max_attempts"] = effort.max_attempts
    if effort.base_delay != DEFAULT_BASE_DELAY:
        retry["backoff_ms"] = effort.base_delay * MS_OF_BASE_DELAY
    timeout = {} if effort.timeout == DEFAULT_TIMEOUT else {"timeout_ms": effort.timeout * MS}
    return timeout | ({"retry": retry} if retry else {})
