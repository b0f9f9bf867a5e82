"""Nodes as steps, with the places of the document that their fields come from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, assert_never

from dagster_pgflow.dsl.workflow.parts import PlacedNode, Problems, read
from dagster_pgflow.dsl.workflow.shape import JoinConfig
from dagster_pgflow.dsl.workflow.ways import Ways, WrittenBranch, WrittenLoop
from dagster_pgflow.dsl.workflow.work import OWN_CONFIG, WORKING, Work, options_of, work_of
from dagster_pgflow.model.step import BranchStep, JoinStep, LoopStep, Rule, SingleStep, Step


@dataclass(frozen=True)
class PlacedStep:
    """A step and where it comes from.

    Attributes:
        step: The step.
        place: The node.
        places: Where each of its fields stands; the place of the node, if it is not here.
    """

    step: Step
    place: str
    places: Mapping[str, str] = field(default_factory=dict)


def step_of(node: PlacedNode, way: Ways, deps: Mapping[str, str], problems: Problems) -> PlacedStep:
    """Return the step that a node is.

    Args:
        node: The node.
        way: Where the run goes on behind it.
        deps: What it waits for, and where that is written.
        problems: Where to note what is wrong.
    """
    _judge_waiting(node, problems)
    options, place = options_of(node, problems), node.place
    common: dict[str, Any] = {
        "slug": node.id,
        "description": node.shape.description or node.shape.name,
        "depends_on": tuple(deps),
        "options": options,
    }
    places = {
        "slug": f"{place}.id",
        "depends_on": next(iter(deps.values()), place),
        "options.timeout": f"{place}.timeout_ms",
        "options.max_attempts": f"{place}.retry.max_attempts",
        "options.base_delay": f"{place}.retry.backoff_ms",
    }
    if _is_join(node) and way is None:
        return _join(node, common, places, problems)
    work = work_of(node, problems)
    handler = work.handler
    if handler is None and way is not None and node.shape.type in WORKING:
        # A step that decides does work only if it names its handler.
        handler = node.id
    common |= {"handler": handler, "params": work.params}
    places |= _places_of(work)
    match way:
        case None:
            return PlacedStep(_single(node, common, problems), place, places)
        case WrittenBranch():
            return _branch(way, common, place, places)
        case WrittenLoop():
            return _loop(node, way, common, places)
        case _:
            assert_never(way)


def _single(node: PlacedNode, common: dict[str, Any], problems: Problems) -> SingleStep:
    if node.shape.type == "parallel":
        message = (
            f'Node "{node.id}" hands on what it receives to no other node; add an edge that leads'
            " on, or remove the node."
        )
        problems.note("parallel-without-edges", node.place, message)
    return SingleStep(**common)


def _branch(
    way: WrittenBranch, common: dict[str, Any], place: str, places: dict[str, str]
) -> PlacedStep:
    rules = tuple(Rule(when=rule.when, then=rule.then) for rule in way.rules)
    for index, rule in enumerate(way.rules):
        places[f"rules[{index}]"] = rule.when_place
        places[f"rules[{index}].when"] = rule.when_place
        places[f"rules[{index}].then"] = rule.then_place
    places |= {"rules": way.place, "default_path": way.default_place}
    return PlacedStep(BranchStep(rules=rules, default_path=way.default, **common), place, places)


def _loop(
    node: PlacedNode, way: WrittenLoop, common: dict[str, Any], places: dict[str, str]
) -> PlacedStep:
    step = LoopStep(
        back_to=node.id if way.back_to is None else way.back_to,
        condition=way.condition,
        max_iterations=way.max_iterations,
        break_path=way.break_path,
        timeout_path=way.timeout_path,
        **common,
    )
    places |= {
        name: f"{way.place}.{name}"
        for name in ("condition", "max_iterations", "break_path", "timeout_path")
    }
    places["back_to"] = f"{way.place}.loop_back_to"
    return PlacedStep(step, node.place, places)


def _is_join(node: PlacedNode) -> bool:
    waits = node.shape.type == "parallel" and node.config.keys() & OWN_CONFIG["parallel"]
    return node.shape.type == "join" or bool(waits)


def _join(
    node: PlacedNode, common: dict[str, Any], places: dict[str, str], problems: Problems
) -> PlacedStep:
    config = read(JoinConfig, node.config, ("nodes", node.index, "config"), problems)
    config = config or JoinConfig()
    wait: Any = config.wait
    if wait is None:
        wait = "any" if config.wait_for_all is False else "all"
    elif config.wait_for_all is not None:
        message = '"wait" says for how many; remove one of them.'
        problems.note("wait-twice", f"{node.place}.config.wait_for_all", message)
    places["wait"] = f"{node.place}.config.wait"
    return PlacedStep(JoinStep(wait=wait, **common), node.place, places)


def _judge_waiting(node: PlacedNode, problems: Problems) -> None:
    if node.shape.wait_for_all is False:
        message = (
            f'Node "{node.id}" waits for all nodes with an edge to it; put a node of type join'
            ' before it, with "wait": "any" in its config, to wait for fewer.'
        )
        problems.note("wait-for-some", f"{node.place}.wait_for_all", message)


def _places_of(work: Work) -> dict[str, str]:
    params = {f"params.{name}": place for name, place in work.param_places.items()}
    return {"handler": work.handler_place, "params": work.params_place, **params}
