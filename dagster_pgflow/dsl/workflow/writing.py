"""Flows as workflow documents, from which `read_workflow` makes flows that do the same."""

from collections.abc import Sequence
from typing import Any, Final, assert_never

from dagster_pgflow.dsl.workflow.flow_settings import written_settings
from dagster_pgflow.dsl.workflow.retrying import policy, written_options
from dagster_pgflow.dsl.workflow.routes import ALWAYS
from dagster_pgflow.dsl.workflow.settings_shape import SETTINGS
from dagster_pgflow.dsl.workflow.tags import metadata_of
from dagster_pgflow.dsl.workflow.unsupported import unsupported
from dagster_pgflow.dsl.workflow.work import HANDLER_KEYS, HANDLERS, OWN_CONFIG, PARAMS_KEY
from dagster_pgflow.dsl.workflow.written_edges import WrittenEdges, written_edges
from dagster_pgflow.errors import InvalidFlow
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.graph import dependents
from dagster_pgflow.model.steps import (
    BranchStep,
    HandledStep,
    JoinStep,
    LoopStep,
    MapStep,
    SingleStep,
    SleepStep,
    Step,
    SubflowStep,
    WaitingStep,
)
from dagster_pgflow.model.steps.branch import Rule

TYPES: Final = {handler: kind for kind, handler in HANDLERS.items()}


def write_workflow(flow: Flow) -> dict[str, Any]:
    """Return the workflow document that describes a flow.

    Nothing changes on the way but that what holds by default in flows, and not in documents, is
    said: a flow that was read from a document comes back as it was.

    Args:
        flow: A sound flow.

    Raises:
        InvalidFlow: With all that documents cannot say.
    """
    problems = tuple(unsupported(flow))
    if problems:
        raise InvalidFlow(flow.slug, problems)
    after = dependents(flow)
    parallel = {step.slug for step in flow.steps if _is_parallel(step, after[step.slug])}
    edges = written_edges(flow, parallel)
    about = {"name": flow.slug, "description": flow.description}
    named = {key: text for key, text in about.items() if text}
    holding = policy(flow.options)
    return {
        "metadata": named | metadata_of(flow.tags) | written_settings(flow),
        "nodes": [
            _node(step, parallel, edges) | written_options(step.options, holding)
            for step in flow.steps
        ],
        "edges": [edge.to_json() for edge in edges.edges],
    }


def _node(step: Step, parallel: set[str], edges: WrittenEdges) -> dict[str, Any]:
    node: dict[str, Any] = {"id": step.slug}
    match step:
        case SingleStep():
            node |= _work(step, "function")
        case JoinStep():
            node |= {"type": "join"} | _config(_own(step, "join"))
        case BranchStep():
            node |= _work(step, "parallel" if step.slug in parallel else "conditional")
            node |= {} if edges.decide(step) else {"branch": _branch(step)}
        case LoopStep():
            node |= _repeated(step)
        case MapStep():
            own = _own(step, "map")
            node |= {"type": "map"} | _config(_named(step) | own | _params(step, "map"))
        case SubflowStep():
            node |= {"type": "subflow"} | _config(_own(step, "subflow"))
        case WaitingStep() | SleepStep():
            node |= {"type": step.type} | _config(_own(step, step.type))
        case _:
            assert_never(step)
    if step.description:
        node["description"] = step.description
    return node | step.model_dump(
        mode="json", by_alias=True, include={*SETTINGS}, exclude_defaults=True
    )


def _own(step: Step, kind: str) -> dict[str, Any]:
    """Return what a config says of a step that is no param."""
    return step.model_dump(mode="json", include={*OWN_CONFIG[kind]}, exclude_defaults=True)


def _is_parallel(step: Step, after: Sequence[Step]) -> bool:
    """Return whether a step is a branch that takes every route."""
    if not isinstance(step, BranchStep) or step.default_path or step.handler in TYPES:
        return False
    behind = {one.slug for one in after}.difference(step.failure_steps.values())
    is_plain = step.rules == (Rule(when=ALWAYS, then=step.targets),)
    return is_plain and {*step.targets} == behind


def _work(step: HandledStep, kind: str) -> dict[str, Any]:
    """Return the type of a node, which its handler may decide, and its config."""
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
    rules = [
        {"condition": rule.when, "next_nodes": [*rule.then]}
        | rule.model_dump(mode="json", include={"label", "output_schema"}, exclude_defaults=True)
        for rule in step.rules
    ]
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
