"""Nodes as steps, with the places of the document that their fields come from."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, assert_never

from dagster_pgflow.dsl.workflow.config_shape import JoinConfig, MapConfig, SubflowConfig
from dagster_pgflow.dsl.workflow.parts import PlacedNode, Problems, read
from dagster_pgflow.dsl.workflow.retrying import WRITTEN, options_said
from dagster_pgflow.dsl.workflow.routes import Routes, WrittenBranch, WrittenLoop
from dagster_pgflow.dsl.workflow.settings_shape import SETTINGS, written_name
from dagster_pgflow.dsl.workflow.waiting import waiting_step
from dagster_pgflow.dsl.workflow.waiting_shape import WAITING
from dagster_pgflow.dsl.workflow.work import OWN_CONFIG, WORKING, work_of
from dagster_pgflow.model.options import FlowOptions, StepOptions
from dagster_pgflow.model.steps import (
    BranchStep,
    HandledStep,
    JoinStep,
    LoopStep,
    MapStep,
    SingleStep,
    Step,
    SubflowStep,
)
from dagster_pgflow.model.steps.branch import Rule

LEADING_ON: Final = ("map", "subflow", *WAITING)
"""The types of nodes that lead to all nodes behind them, whatever comes of them."""


@dataclass(frozen=True)
class PlacedStep:
    """A step and where it comes from.

    Attributes:
        step: The step.
        node: The node that it is.
        route: Where the run goes on behind it.
        deps: What it waits for, and where that is written.
    """

    step: Step
    node: PlacedNode
    route: Routes
    deps: Mapping[str, str]

    def places(self) -> dict[str, str]:
        """Return where in the document its fields stand; those of no place are the whole node."""
        place = self.node.place
        places = {
            "slug": f"{place}.id",
            "depends_on": next(iter(self.deps.values()), place),
            **{f"options.{name}": f"{place}.{written}" for name, written in WRITTEN.items()},
            **{written_name(name): f"{place}.{written_name(name)}" for name in SETTINGS},
        }
        if not isinstance(self.step, BranchStep | LoopStep):
            own = OWN_CONFIG.get(self.node.shape.type, ())
            places |= {name: f"{place}.config.{name}" for name in own}
        if isinstance(self.step, HandledStep):
            work = work_of(self.node, self.deps, Problems())
            places |= {"handler": work.handler_place, "params": work.params_place}
            places |= {f"params.{name}": at for name, at in work.param_places.items()}
        match self.route:
            case WrittenBranch():
                places |= _places_of_branch(self.route)
            case WrittenLoop():
                paths = ("condition", "max_iterations", "break_path", "timeout_path")
                places |= {name: f"{self.route.place}.{name}" for name in paths}
                places["back_to"] = f"{self.route.place}.loop_back_to"
        return places


def step_of(
    node: PlacedNode,
    route: Routes,
    deps: Mapping[str, str],
    options: FlowOptions,
    problems: Problems,
) -> PlacedStep:
    """Return the step that a node is.

    Args:
        route: Where the run goes on behind it.
        deps: What it waits for, and where that is written.
        options: What holds for nodes that say nothing of how often they are tried.
        problems: Where to note what is wrong.
    """
    _judge_waiting(node, problems)
    said = options_said(node.shape, options, node.place, problems)
    step = _step(node, route, tuple(deps), StepOptions(**said), problems)
    return PlacedStep(_with_settings(step, node, problems), node, route, deps)


def _step(
    node: PlacedNode,
    route: Routes,
    deps: tuple[str, ...],
    options: StepOptions,
    problems: Problems,
) -> Step:
    common: dict[str, Any] = {
        "slug": node.id,
        "description": node.shape.description or node.shape.name,
        "depends_on": deps,
        "options": options,
    }
    if node.shape.type in LEADING_ON:
        _refuse_routes(node, route, problems)
        route = None
    if node.shape.type in (*WAITING, "subflow"):
        made = _subflow if node.shape.type == "subflow" else waiting_step
        return made(node, common, problems)
    if _is_join(node) and route is None:
        return _join(node, common, problems)
    work = work_of(node, deps, problems)
    handler = work.handler
    if handler is None and route is not None and node.shape.type in WORKING:
        # A step that decides does work only if it names its handler.
        handler = node.id
    common |= {"handler": handler, "params": work.params}
    match route:
        case None if node.shape.type == "map":
            return _map(node, common, problems)
        case None:
            return _single(node, common, problems)
        case WrittenBranch():
            return BranchStep(rules=_rules(route), default_path=route.default, **common)
        case WrittenLoop():
            return LoopStep(
                back_to=node.id if route.back_to is None else route.back_to,
                condition=route.condition,
                max_iterations=route.max_iterations,
                break_path=route.break_path,
                timeout_path=route.timeout_path,
                **common,
            )
        case _:
            assert_never(route)


def _rules(branch: WrittenBranch) -> tuple[Rule, ...]:
    return tuple(
        Rule(when=rule.when, then=rule.then, label=rule.label, output_schema=rule.output_schema)
        for rule in branch.rules
    )


def _with_settings(step: Step, node: PlacedNode, problems: Problems) -> Step:
    """Return a step with what its node says of it in the words of flow documents."""
    fields: dict[str, Any] = {}
    for name, given in node.shape.said().items():
        if name in type(step).model_fields:
            fields[name] = tuple(given) if isinstance(given, list) else given
        elif given is not False:
            message = (
                f'Node "{node.id}" is a {step.type} step, which has no {written_name(name)};'
                " remove it, or move it to another node."
            )
            place = f"{node.place}.{written_name(name)}"
            problems.note("unknown-field", place, message)
    return step.model_copy(update=fields)


def _refuse_routes(node: PlacedNode, route: Routes, problems: Problems) -> None:
    match route:
        case None:
            return
        case WrittenBranch():
            place = route.rules[0].when_place
        case WrittenLoop():
            place = route.place
        case _:
            assert_never(route)
    message = (
        f'A node of type {node.shape.type} decides nothing, and "{node.id}" is one; put a node of'
        " type conditional or loop behind it."
    )
    problems.note("decides-nothing", place, message)


def _map(node: PlacedNode, common: dict[str, Any], problems: Problems) -> MapStep:
    own = {key: part for key, part in node.config.items() if key in OWN_CONFIG["map"]}
    config = read(MapConfig, own, ("nodes", node.index, "config"), problems) or MapConfig()
    return MapStep(**common, **config.model_dump())


def _subflow(
    node: PlacedNode, common: dict[str, Any], problems: Problems
) -> SubflowStep | SingleStep:
    config = read(SubflowConfig, node.config, ("nodes", node.index, "config"), problems)
    if node.shape.config_ref is not None:
        message = "A node that runs a flow has no handler that could look this up; remove it."
        problems.note("unknown-field", f"{node.place}.config_ref", message)
    if config is None:
        problems.incomplete.add(node.id)
        return SingleStep(**common)
    return SubflowStep(**common, **config.model_dump())


def _join(node: PlacedNode, common: dict[str, Any], problems: Problems) -> JoinStep:
    config = read(JoinConfig, node.config, ("nodes", node.index, "config"), problems)
    config = config or JoinConfig()
    return JoinStep(wait=_wait_of(node, config, problems), members=tuple(config.members), **common)


def _single(node: PlacedNode, common: dict[str, Any], problems: Problems) -> SingleStep:
    if node.shape.type == "parallel":
        message = (
            f'Node "{node.id}" passes what it receives to no other node; add an edge that leaves'
            " it, or remove the node."
        )
        problems.note("parallel-without-edges", node.place, message)
    return SingleStep(**common)


def _is_join(node: PlacedNode) -> bool:
    waits = node.shape.type == "parallel" and node.config.keys() & OWN_CONFIG["parallel"]
    return node.shape.type == "join" or bool(waits)


def _wait_of(node: PlacedNode, config: JoinConfig, problems: Problems) -> Any:
    """Return for how many nodes a join waits."""
    if config.wait is None:
        return "any" if config.wait_for_all is False else "all"
    if config.wait_for_all is not None:
        message = '"wait" says already how many nodes to wait for; remove one of the two.'
        problems.note("wait-twice", f"{node.place}.config.wait_for_all", message)
    return config.wait


def _judge_waiting(node: PlacedNode, problems: Problems) -> None:
    if node.shape.wait_for_all is False:
        message = (
            f'Node "{node.id}" waits for all nodes with an edge to it; put a node of type join'
            ' before it, with "wait": "any" in its config, to wait for fewer.'
        )
        problems.note("wait-for-some", f"{node.place}.wait_for_all", message)


def _places_of_branch(route: WrittenBranch) -> dict[str, str]:
    places = {"rules": route.place, "default_path": route.default_place}
    for index, rule in enumerate(route.rules):
        places[f"rules[{index}]"] = rule.when_place
        places[f"rules[{index}].when"] = rule.when_place
        places[f"rules[{index}].then"] = rule.then_place
    return places
