"""Nodes as steps, with the places of the document that their fields come from."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, assert_never

from dagster_pgflow.dsl.workflow.parts import PlacedNode, Problems, read
from dagster_pgflow.dsl.workflow.shape import JoinConfig
from dagster_pgflow.dsl.workflow.ways import Ways, WrittenBranch, WrittenLoop
from dagster_pgflow.dsl.workflow.work import OWN_CONFIG, WORKING, options_of, work_of
from dagster_pgflow.model.step import BranchStep, JoinStep, LoopStep, Rule, SingleStep, Step


@dataclass(frozen=True)
class PlacedStep:
    """A step and where it comes from.

    Attributes:
        step: The step.
        node: The node that it is.
        way: Where the run goes on behind it.
        deps: What it waits for, and where that is written.
    """

    step: Step
    node: PlacedNode
    way: Ways
    deps: Mapping[str, str]

    def places(self) -> dict[str, str]:
        """Return where in the document its fields stand; those of no place are the whole node."""
        place = self.node.place
        places = {
            "slug": f"{place}.id",
            "depends_on": next(iter(self.deps.values()), place),
            "wait": f"{place}.config.wait",
            "options.timeout": f"{place}.timeout_ms",
            "options.max_attempts": f"{place}.retry.max_attempts",
            "options.base_delay": f"{place}.retry.backoff_ms",
        }
        if not isinstance(self.step, JoinStep):
            work = work_of(self.node, Problems())
            places |= {"handler": work.handler_place, "params": work.params_place}
            places |= {f"params.{name}": at for name, at in work.param_places.items()}
        match self.way:
            case WrittenBranch():
                places |= _places_of_branch(self.way)
            case WrittenLoop():
                paths = ("condition", "max_iterations", "break_path", "timeout_path")
                places |= {name: f"{self.way.place}.{name}" for name in paths}
                places["back_to"] = f"{self.way.place}.loop_back_to"
        return places


def step_of(node: PlacedNode, way: Ways, deps: Mapping[str, str], problems: Problems) -> PlacedStep:
    """Return the step that a node is.

    Args:
        node: The node.
        way: Where the run goes on behind it.
        deps: What it waits for, and where that is written.
        problems: Where to note what is wrong.
    """
    _judge_waiting(node, problems)
    return PlacedStep(_step(node, way, tuple(deps), problems), node, way, deps)


def _step(node: PlacedNode, way: Ways, deps: tuple[str, ...], problems: Problems) -> Step:
    common: dict[str, Any] = {
        "slug": node.id,
        "description": node.shape.description or node.shape.name,
        "depends_on": deps,
        "options": options_of(node, problems),
    }
    if _is_join(node) and way is None:
        return JoinStep(wait=_wait_of(node, problems), **common)
    work = work_of(node, problems)
    handler = work.handler
    if handler is None and way is not None and node.shape.type in WORKING:
        # A step that decides does work only if it names its handler.
        handler = node.id
    common |= {"handler": handler, "params": work.params}
    match way:
        case None:
            return _single(node, common, problems)
        case WrittenBranch():
            rules = tuple(Rule(when=rule.when, then=rule.then) for rule in way.rules)
            return BranchStep(rules=rules, default_path=way.default, **common)
        case WrittenLoop():
            return LoopStep(
                back_to=node.id if way.back_to is None else way.back_to,
                condition=way.condition,
                max_iterations=way.max_iterations,
                break_path=way.break_path,
                timeout_path=way.timeout_path,
                **common,
            )
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


def _is_join(node: PlacedNode) -> bool:
    waits = node.shape.type == "parallel" and node.config.keys() & OWN_CONFIG["parallel"]
    return node.shape.type == "join" or bool(waits)


def _wait_of(node: PlacedNode, problems: Problems) -> Any:
    """Return for how many nodes a join waits."""
    config = read(JoinConfig, node.config, ("nodes", node.index, "config"), problems)
    config = config or JoinConfig()
    if config.wait is None:
        return "any" if config.wait_for_all is False else "all"
    if config.wait_for_all is not None:
        message = '"wait" says for how many; remove one of them.'
        problems.note("wait-twice", f"{node.place}.config.wait_for_all", message)
    return config.wait


def _judge_waiting(node: PlacedNode, problems: Problems) -> None:
    if node.shape.wait_for_all is False:
        message = (
            f'Node "{node.id}" waits for all nodes with an edge to it; put a node of type join'
            ' before it, with "wait": "any" in its config, to wait for fewer.'
        )
        problems.note("wait-for-some", f"{node.place}.wait_for_all", message)


def _places_of_branch(way: WrittenBranch) -> dict[str, str]:
    places = {"rules": way.place, "default_path": way.default_place}
    for index, rule in enumerate(way.rules):
        places[f"rules[{index}]"] = rule.when_place
        places[f"rules[{index}].when"] = rule.when_place
        places[f"rules[{index}].then"] = rule.then_place
    return places
