"""How the run goes on behind a step that decides it: which routes it takes, what it repeats."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from dagster_pgflow.model.steps import BranchStep, JoinStep, LoopStep
from dagster_pgflow.model.steps.data_map import merges_input
from dagster_pgflow.model.steps.fields import StepBase
from dagster_pgflow.reports.decided import again_told, default_told, end_told, route_told
from dagster_pgflow.reports.decision import Decision
from dagster_pgflow.runtime.asked_condition import AskedCondition
from dagster_pgflow.runtime.conditions import Facts, ask, values_for
from dagster_pgflow.runtime.data_map import Received
from dagster_pgflow.runtime.values import Skipped
from dagster_pgflow.step_path import StepPath


@dataclass(frozen=True)
class Deciding:
    """A step that is to decide.

    Attributes:
        flow_slug: The flow that it belongs to.
        path: Its place in the run.
        received: What it received.
        output: What it returned.
        facts: What else its conditions may ask.
    """

    flow_slug: str
    path: StepPath
    received: Received
    output: Any
    facts: Facts

    def ask(self, step: StepBase, name: str, text: str) -> tuple[AskedCondition, str]:
        """Return what a condition says, and a warning when it says nothing."""
        values = values_for(step, self.received, self.facts, self.flow_slug, self.path)
        asked = ask(text, {**values, "output": self.output}, self.facts)
        counts = f'Step "{self.path}": {name} `{text}` counts as false: {asked.reason}.'
        return asked, counts if asked.reason else ""


def handed_on(step: StepBase, received: Received) -> Any:
    """Return the output of a step without a handler: what it received.

    Args:
        step: A branch, a join or a loop.
        received: What it received.
    """
    deps = set(step.depends_on)
    if isinstance(step, JoinStep) or len(deps) != 1 or merges_input(step):
        return received.input
    return received.deps.get(step.depends_on[0])


def decision_of_branch(step: BranchStep, deciding: Deciding) -> Decision:
    """Return the routes behind a branch that the run takes: those of the first rule that holds.

    A rule whose condition cannot be answered is skipped with a warning.

    Args:
        step: The branch.
        deciding: What it decides on.
    """
    warnings: list[str] = []
    unmet: list[str] = []
    for index, (name, text) in enumerate(step.decisions.items()):
        asked, warning = deciding.ask(step, name, text)
        if warning:
            warnings.append(warning)
        if asked.holds:
            rule = step.rules[index]
            why = route_told(rule.then, rule.label, asked.told)
            return Decision(rule.then, index, warnings=tuple(warnings), why=why)
        unmet.append(asked.told)
    why = default_told(step.default_path, unmet)
    return Decision(step.default_path, "default", warnings=tuple(warnings), why=why)


def decision_of_loop(step: LoopStep, deciding: Deciding) -> Decision:
    """Return whether the body of a loop runs once more, and if not, which routes the run takes.

    A condition that cannot be answered ends the loop on its break path.

    Args:
        step: The loop.
        deciding: What it decides on, after one iteration.
    """
    asked, warning = deciding.ask(step, "condition", step.condition)
    holds, iteration, most = asked.holds, deciding.facts.iteration, step.max_iterations
    if holds and iteration < most:
        return Decision(
            again=True, iteration=iteration, why=again_told(iteration, most, asked.told)
        )
    path = step.timeout_path if holds else step.break_path
    taken = tuple(slug for slug in path if slug in step.targets)
    return Decision(
        taken=taken,
        again=False,
        ended_by="timeout" if holds else "error" if warning else "break",
        iteration=iteration,
        warnings=(warning,) if warning else (),
        why=end_told(iteration, most, asked.told, taken, met=holds),
    )


def routes_out(
    step: StepBase, path: StepPath, value: Any, taken: Collection[str]
) -> dict[str, Any]:
    """Return what is sent to each step that the run need not go on with.

    Args:
        step: A branch or a loop.
        path: Its path.
        value: Its output, or why there is none.
        taken: Those that the run does go on with, if it has an output.
    """
    if isinstance(value, Skipped):
        is_own = value.step == path and not (value.cascade or value.not_taken or value.error)
        nothing = (
            Skipped("dependency_skipped", path, not_taken=(path,), why=value.told_behind)
            if is_own
            else value
        )
        return dict.fromkeys(step.targets, nothing)
    not_taken = not_taken_behind(path)
    return {slug: value if slug in taken else not_taken for slug in step.targets}


def not_taken_behind(path: StepPath) -> Skipped:
    """Return what is sent on a route that the run does not take.

    Args:
        path: The path of the branch or the loop.
    """
    return Skipped("not_taken", path, not_taken=(path,))
