"""Random flows in which some steps wait, and how that ends.

A drawn flow has steps with handlers; here some of them become steps that wait for a person, a
signal or a time instead. What is answered, and when, follows by chance from the flow, so that a
flow says all there is to repeat its run.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.steps import ApprovalStep, SingleStep, SleepStep, Step, WaitStep
from dagster_pgflow.validation.validate import validate
from tests.reference.drawing import LARGE, Drawn
from tests.reference.waiting import LATE, Answer, How

SHARE: Final = 0.4
"""How many of the steps wait that could."""

TRIES: Final = 4
LONG: Final = 1_000_000_000
"""A number of seconds that nobody waits for."""

KEPT: Final = (
    *("slug", "depends_on", "description", "if_", "if_not", "run_if", "run_unless"),
    *("when_unmet", "when_exhausted", "on_failure", "options", "merge_input", "keep_input"),
)
"""What a step says that waits as one with a handler does."""

ANSWERS: Final[tuple[Any, ...]] = (
    None,
    False,
    0,
    "",
    "a",
    [],
    [1, [2]],
    {},
    {"a": [1, 2], "ok": True},
    LARGE,
)
NEVER: Final = 0.1
"""How many waits are never answered."""

SOON: Final = 0.6
"""How many of the others are answered in the next round, each time."""


def waiting_of(drawn: Drawn, tried: int = 0) -> Drawn:
    """Return a flow of which some steps wait; as it is where none can.

    Args:
        drawn: The flow, with those that it contains.
        tried: Tells apart several ways to choose the steps.
    """
    chance = random.Random(f"{tried} {drawn!r}")
    flows = dict(drawn.by_slug)
    for slug, flow in drawn.by_slug.items():
        for step in flow.steps:
            if isinstance(step, SingleStep) and chance.random() < SHARE:
                changed = _with_step(flows[slug], waiting_step(step, chance))
                known = {**flows, slug: changed}
                if not any(validate(each, known) for each in known.values()):
                    flows = known
    return Drawn(tuple(flows.values()), drawn.input)


def _with_step(flow: Flow, step: Step) -> Flow:
    steps = [step if each.slug == step.slug else each for each in flow.steps]
    return flow.model_copy(update={"steps": tuple(steps)})


def waiting_step(step: SingleStep, chance: random.Random) -> Step:
    """Return a step that waits where another one stands."""
    kept = {name: getattr(step, name) for name in KEPT}
    if chance.random() < 0.3:
        ends: list[dict[str, Any]] = [{"seconds": LONG}, {"until": '"2901-02-03T04:05:06Z"'}]
        return SleepStep(**kept, **chance.choice(ends))
    kept |= _deadline(chance)
    if chance.random() < 0.5:
        return ApprovalStep(**kept, prompt="What about it?")
    return WaitStep(**kept, signal="news")


def _deadline(chance: random.Random) -> dict[str, Any]:
    if chance.random() < 0.4:
        return {}
    then = chance.choice(["fail", "skip", "skip", "continue", "continue"])
    default = chance.choice(ANSWERS) if then == "continue" else None
    return {"deadline": LONG, "on_deadline": then, "default_answer": default}


@dataclass
class Story:
    """How the waits of one run end, round after round.

    Attributes:
        drawn: The flow.
        answers: What has been answered so far, by path.
    """

    drawn: Drawn
    answers: dict[str, How] = field(default_factory=dict)
    _chance: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self._chance = random.Random(repr(self.drawn))
        self._never: dict[str, bool] = {}

    def next_round(self, waiting: Sequence[str]) -> Mapping[str, How]:
        """Return what is answered next, at least one of what ever is; nothing where that is all.

        Args:
            waiting: The paths of the steps that wait.
        """
        for path in sorted(waiting):
            self._never.setdefault(path, self._chance.random() < NEVER)
        open_ones = [path for path in sorted(waiting) if not self._never[path]]
        soon = [path for path in open_ones if self._chance.random() < SOON] or open_ones[:1]
        self._chance.shuffle(soon)
        news = {path: self._how(path) for path in soon}
        self.answers |= news
        return news

    def _how(self, path: str) -> How:
        step = self.drawn.step_at(path)
        if isinstance(step, SleepStep):
            return Answer()
        late = getattr(step, "deadline", None) is not None and self._chance.random() < 0.5
        return LATE if late else Answer(self._chance.choice(ANSWERS), "ann")
