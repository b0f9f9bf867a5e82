"""The join: paths come together in it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import Strict, ValidationError, WrapValidator
from pydantic_core import PydanticCustomError

from dagster_pgflow.errors import Problem
from dagster_pgflow.model.described import Examples
from dagster_pgflow.model.steps.data_map import MergingFields, MergingStep
from dagster_pgflow.model.steps.fields import SLUGS, Argument, CommonFields, Host, listed

WAIT_RULE: Final = '"all", "any" or a number'


def _in_one_sentence(given: Any, read: Callable[[Any], Any]) -> Any:
    """Read how many dependencies a join waits for; pydantic has a sentence for each form."""
    try:
        return read(given)
    except ValidationError:
        raise PydanticCustomError("wait", f"Input should be {WAIT_RULE}") from None


class JoinFields(CommonFields, MergingFields, total=False):
    """What a join may say besides."""

    wait: Literal["all", "any"] | int
    members: Sequence[str] | str


class JoinStep(MergingStep):
    """A step where paths come together; its output is `{dep: output}` of those that did.

    With `merge_input` its output is the merged object instead.

    Attributes:
        wait: How many dependencies must have completed: `all` that any other step would need,
            `any` of them, or a number. With fewer the step is skipped.
        members: With `on_failure`, the dependencies whose failures fail the join and not the run,
            whatever it waits for; all of them when there are none. What the others returned is
            there for the failure step, what the members returned is not.
    """

    builder: ClassVar[str] = "join"

    examples: ClassVar[Examples] = {"wait": "any", "members": ["fetch", "price"]}

    type: Literal["join"] = "join"
    wait: Annotated[
        Literal["all", "any"] | Annotated[int, Strict()],
        WrapValidator(_in_one_sentence),
        Argument(WAIT_RULE),
    ] = "all"
    members: Annotated[tuple[str, ...], SLUGS] = ()

    @property
    def catches(self) -> tuple[str, ...]:
        """The dependencies whose failures fail the join and not the run."""
        if self.on_failure is None:
            return ()
        return tuple(dict.fromkeys(self.members or self.depends_on))

    @property
    def least(self) -> int | None:
        """How many dependencies must have completed, unless it is as for any other step."""
        return {"all": None, "any": 1}.get(self.wait) if isinstance(self.wait, str) else self.wait

    def problems(self) -> Iterator[Problem]:
        """Yield that it brings nothing together, or waits for more than there is."""
        deps = len(set(self.depends_on))
        if deps < 2:
            stated = "has one dependency" if deps else "has no dependencies"
            yield Problem(
                "join-of-too-few",
                f"steps.{self.slug}.depends_on",
                f'Join "{self.slug}" {stated}, and a join brings at least two paths together; add'
                " what is missing to its depends_on, or leave the join out.",
            )
        elif isinstance(self.wait, int) and not 1 <= self.wait <= deps:
            yield Problem(
                "wait-out-of-range",
                f"steps.{self.slug}.wait",
                f'Join "{self.slug}" waits for {self.wait} of {deps} dependencies; the number must'
                f' be from 1 to {deps}, or say "any" or "all".',
            )
        yield from self._problems_of_members()

    def _problems_of_members(self) -> Iterator[Problem]:
        place = f"steps.{self.slug}.members"
        if self.members and self.on_failure is None:
            yield Problem(
                "members-without-failure-step",
                place,
                f'Join "{self.slug}" names members and no on_failure, so that it catches no'
                " failure; add on_failure, or leave members out.",
            )
        for slug in dict.fromkeys(self.members):
            if slug not in self.depends_on:
                yield Problem(
                    "member-is-no-dependency",
                    place,
                    f'Join "{self.slug}" names "{slug}" among its members, which it does not depend'
                    f' on; add "{slug}" to its depends_on, or take it out of members.',
                )

    def in_host(self, host: Host) -> dict[str, Any]:
        """Return its members in the names of the host."""
        return super().in_host(host) | {"members": tuple(map(host.slug_of, self.members))}

    def shown_work(self, _flow_slug: str, _versions: Mapping[str, int]) -> str:
        """Return for how many dependencies it waits."""
        return ", ".join([f"waits for {self.wait}", *self.shown_data()])

    def described_routes(self) -> Iterator[str]:
        """Yield the same, where it does not wait for all."""
        if self.least is not None:
            yield f"Runs when {self.least} of its dependencies have completed."
        if self.catches:
            yield f"Fails when one of these does: {listed(self.catches)}."
        yield from super().described_routes()
