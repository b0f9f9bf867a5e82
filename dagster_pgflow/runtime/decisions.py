"""How the run goes on behind a step that decides it: which ways it takes, what it repeats."""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from dagster_pgflow.model.step import BranchStep, JoinStep, LoopStep, StepBase
from dagster_pgflow.runtime.conditions import Facts, answer_of, values_for
from dagster_pgflow.runtime.values import Skipped

Ending = Literal["break", "timeout", "error"]
"""What ends a loop: its condition, the number of passes, or a condition without an answer."""


@dataclass(frozen=True)
class Choice:
    """What a branch or a loop decided.

    Attributes:
        taken: The steps that the run goes on with, of those that it need not go on with.
        rule: The number of the rule of a branch that holds, or `default`.
        again: Whether the body of a loop runs once more.
        ended_by: What ended the loop, when it ends.
        iteration: After which pass of a loop that was, from 1.
        warnings: What was wrong with conditions, one sentence each.
    """

    taken: tuple[str, ...] = ()
    rule: int | Literal["default"] | None = None
    again: bool | None = None
    ended_by: Ending | None = None
    iteration: int | None = None
    warnings: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return what was decided as JSON values, without what does not apply."""
        told = {name: value for name, value in asdict(self).items() if value not in (None, ())}
        return told | {"taken": list(self.taken)}

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> "Choice":
        """Return what JSON values tell."""
        lists = {name: tuple(told.get(name, ())) for name in ("taken", "warnings")}
        return cls(**{**told, **lists})


@dataclass(frozen=True)
class Deciding:
    """A step that is to decide.

    Attributes:
        flow_slug: The flow that it belongs to.
        path: Its place in the run.
        given: What it received.
        output: What it returned.
        facts: What else its conditions may ask.
    """

    flow_slug: str
    path: tuple[str, ...]
    given: Any
    output: Any
    facts: Facts

    def ask(self, step: StepBase, name: str, text: str) -> tuple[bool, str]:
        """Return what a condition says, and a warning when it says nothing."""
        path = ".".join(self.path)
        values = values_for(step, self.given, self.facts, self.flow_slug, path)
        answer, reason = answer_of(text, {**values, "output": self.output}, self.facts)
        return answer, reason and f'Step "{path}": {name} `{text}` counts as false: {reason}.'


def handed_on(step: StepBase, given: Any) -> Any:
    """Return the output of a step without a handler: what it received.

    Args:
        step: A branch, a join or a loop.
        given: The flow input of a root step, `{dep: output}` of any other.
    """
    deps = set(step.depends_on)
    if isinstance(step, JoinStep) or len(deps) != 1:
        return given
    return given.get(step.depends_on[0])


def choice_of(step: BranchStep, deciding: Deciding) -> Choice:
    """Return the ways behind a branch that the run takes: those of the first rule that holds.

    A rule whose condition cannot be answered is skipped with a warning.

    Args:
        step: The branch.
        deciding: What it decides on.
    """
    warnings: list[str] = []
    for index, (name, text) in enumerate(step.decisions.items()):
        holds, warning = deciding.ask(step, name, text)
        if warning:
            warnings.append(warning)
        if holds:
            return Choice(step.rules[index].then, index, warnings=tuple(warnings))
    return Choice(step.default_path, "default", warnings=tuple(warnings))


def verdict_of(step: LoopStep, deciding: Deciding) -> Choice:
    """Return whether the body of a loop runs once more, and if not, which ways the run takes.

    A condition that cannot be answered ends the loop on its break path.

    Args:
        step: The loop.
        deciding: What it decides on, after one pass.
    """
    holds, warning = deciding.ask(step, "condition", step.condition)
    iteration = deciding.facts.iteration
    if holds and iteration < step.max_iterations:
        return Choice(again=True, iteration=iteration)
    path = step.timeout_path if holds else step.break_path
    return Choice(
        taken=tuple(slug for slug in path if slug in step.targets),
        again=False,
        ended_by="timeout" if holds else "error" if warning else "break",
        iteration=iteration,
        warnings=(warning,) if warning else (),
    )


def ways_out(
    step: StepBase, path: tuple[str, ...], value: Any, taken: Collection[str]
) -> dict[str, Any]:
    """Return what is sent to each step that the run need not go on with.

    Args:
        step: A branch or a loop.
        path: Its path.
        value: Its output, or why there is none.
        taken: Those that the run does go on with, if it has an output.
    """
    if isinstance(value, Skipped):
        is_own = value.step == path and not (value.cascade or value.untaken or value.error)
        nothing = Skipped("dependency_skipped", path, untaken=(path,)) if is_own else value
        return dict.fromkeys(step.targets, nothing)
    untaken = Skipped("not_taken", path, untaken=(path,))
    return {slug: value if slug in taken else untaken for slug in step.targets}
