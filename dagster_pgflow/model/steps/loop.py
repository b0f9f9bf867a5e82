"""The loop: it has the steps before it run again."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, ClassVar, Final, Literal

from dagster_pgflow.errors import Problem
from dagster_pgflow.model.described import Examples
from dagster_pgflow.model.steps.data_map import DataMapFields, KeepingStep
from dagster_pgflow.model.steps.fields import SLUGS, Host
from dagster_pgflow.model.steps.hooked import HookedFields, HookedStep

MOST_ITERATIONS: Final = 1_000
MOST_ITERATIONS_IN_A_JOB: Final = 100
"""With more iterations than that, each is a Dagster run of its own."""


class LoopFields(HookedFields, DataMapFields, total=False):
    """What a loop may say besides."""

    back_to: str
    condition: str
    max_iterations: int
    break_path: Sequence[str] | str
    timeout_path: Sequence[str] | str


class LoopStep(KeepingStep, HookedStep):
    """A step that has the steps before it run again, as long as a condition holds.

    What is repeated, its body, are the steps from `back_to` to this one. Without a
    handler it hands on what it receives, as a branch does.

    Attributes:
        back_to: The first step of the body. From the second iteration on it receives, under the
            slug of the loop, what this step returned in the iteration before.
        condition: A condition in CEL; while it holds, the body runs again.
        max_iterations: How often the body runs at most.
        break_path: The steps that the run goes on with once the condition does not hold.
        timeout_path: The steps that it goes on with when the condition still holds after the last
            iteration.
    """

    builder: ClassVar[str] = "loop"

    examples: ClassVar[Examples] = {
        "back_to": "draft",
        "condition": "output.score < 8",
        "max_iterations": 5,
        "break_path": ["publish"],
        "timeout_path": ["give_up"],
    }

    type: Literal["loop"] = "loop"
    back_to: str
    condition: str
    max_iterations: int
    break_path: Annotated[tuple[str, ...], SLUGS] = ()
    timeout_path: Annotated[tuple[str, ...], SLUGS] = ()

    @property
    def needs_handler(self) -> bool:
        """Whether a handler is named."""
        return self.handler is not None

    @property
    def decisions(self) -> dict[str, str]:
        """What it asks after each iteration."""
        return {"condition": self.condition}

    def runs_iterations(self, *, in_items: bool) -> bool:
        """Return whether each iteration is a Dagster run of its own, and no graph of the job.

        Args:
            in_items: Whether its flow, or one around it, runs once for each item of a list: there
                Dagster cannot bring the iterations together again.
        """
        return in_items or self.max_iterations > MOST_ITERATIONS_IN_A_JOB

    @property
    def routes(self) -> dict[str, tuple[str, ...]]:
        """Where it leads once the condition does not hold, and when it still does at the end."""
        return {"break_path": self.break_path, "timeout_path": self.timeout_path}

    @property
    def targets(self) -> tuple[str, ...]:
        """The steps of both paths, but for those that both lead to."""
        both = set(self.break_path) & set(self.timeout_path)
        named = dict.fromkeys([*self.break_path, *self.timeout_path])
        return tuple(slug for slug in named if slug not in both)

    def problems(self) -> Iterator[Problem]:
        """Yield a number of iterations out of range, and what would keep it from deciding."""
        if not 1 <= self.max_iterations <= MOST_ITERATIONS:
            yield Problem(
                "iterations-out-of-range",
                f"steps.{self.slug}.max_iterations",
                f"max_iterations is {self.max_iterations}; it must be from 1 to {MOST_ITERATIONS}.",
            )
        for name in self.conditions:
            yield Problem(
                "loop-with-condition",
                f"steps.{self.slug}.{name}",
                f'Loop "{self.slug}" decides after each iteration and cannot be left out of one;'
                f' move {name} to "{self.back_to}", or to a step before the loop.',
            )
        if self.when_exhausted != "fail":
            yield Problem(
                "loop-that-is-skipped",
                f"steps.{self.slug}.when_exhausted",
                f'Loop "{self.slug}" cannot be skipped when its handler fails, since nothing would'
                " then say whether it goes on; leave when_exhausted out, or let a step before it do"
                " the work.",
            )

    def in_host(self, host: Host) -> dict[str, Any]:
        """Return what it repeats, asks and leads to in the names of the host."""
        return super().in_host(host) | {
            "back_to": host.slug_of(self.back_to),
            "condition": host.decisions_of(self)["condition"],
            "break_path": tuple(map(host.slug_of, self.break_path)),
            "timeout_path": tuple(map(host.slug_of, self.timeout_path)),
        }

    def shown_routes(self) -> Iterator[str]:
        """Yield how long it goes on, and where it leads."""
        yield f"back to {self.back_to} while {self.condition}, {self.max_iterations} times at most"
        if self.break_path:
            yield f"then {', '.join(self.break_path)}"
        if self.timeout_path:
            yield f"{', '.join(self.timeout_path)} if it still holds"
        yield from super().shown_routes()

    def described_routes(self) -> Iterator[str]:
        """Yield how long it goes on."""
        again = f"back to `{self.back_to}`, {self.max_iterations} times at most"
        yield f"While `{self.condition}`: {again}."
        yield from super().described_routes()
