"""The approval: a person is asked, and answers."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Final, Literal

from dagster_pgflow.errors import Problem
from dagster_pgflow.expressions.references import with_steps_renamed
from dagster_pgflow.model.described import Examples
from dagster_pgflow.model.steps.fields import Argument, Host, in_a_tuple
from dagster_pgflow.model.steps.waiting import WaitingFields, WaitingStep, problems_of_name

LONGEST_PROMPT: Final = 10_000
"""How many characters a prompt may have, before values are put into it."""

MOST_ANSWERERS: Final = 100
_SHOWN: Final = 60


class ApprovalFields(WaitingFields, total=False):
    """What an approval may say besides."""

    prompt: str
    answerers: Sequence[str] | str


class ApprovalStep(WaitingStep):
    """A step that waits until a person has answered.

    Attributes:
        prompt: What the person is asked; values are put into it as into params: `$input.x`,
            `text ${$nodes.a.b}`.
        answerers: Who may answer: names or roles, free text; anybody when there are none.
    """

    builder: ClassVar[str] = "approval"

    examples: ClassVar[Examples] = {
        "prompt": "May ${$input.who} spend this?",
        "answerers": ["boss"],
    }

    type: Literal["approval"] = "approval"
    prompt: str
    answerers: Annotated[tuple[str, ...], Argument("a name, or a list of names", in_a_tuple)] = ()

    def problems(self) -> Iterator[Problem]:
        """Yield that it asks nothing or too much, or somebody without a name."""
        yield from super().problems()
        if not 1 <= len(self.prompt) <= LONGEST_PROMPT:
            yield Problem(
                "invalid-prompt",
                f"steps.{self.slug}.prompt",
                f"A prompt has 1 to {LONGEST_PROMPT} characters, this one has {len(self.prompt)};"
                " say what the person is to answer.",
            )
        if len(self.answerers) > MOST_ANSWERERS:
            yield Problem(
                "invalid-answerer",
                f"steps.{self.slug}.answerers",
                f"There are {len(self.answerers)} answerers; name at most {MOST_ANSWERERS}, or a"
                " role that they all have.",
            )
        for index, name in enumerate(self.answerers[:MOST_ANSWERERS]):
            yield from problems_of_name(self.slug, "invalid-answerer", f"answerers[{index}]", name)

    def in_host(self, host: Host) -> dict[str, Any]:
        """Return its prompt with the names of the host."""
        prompt = with_steps_renamed(self.prompt, host.names_for(self))
        return super().in_host(host) | {"prompt": prompt}

    def shown_work(self, _flow_slug: str, _versions: Mapping[str, int]) -> str:
        """Return what it asks, and whom."""
        line = " ".join(self.prompt.split())
        asked = line if len(line) <= _SHOWN else f"{line[: _SHOWN - 3]}..."
        whom = [f"of {', '.join(self.answerers)}"] if self.answerers else []
        return ", ".join([f'asks "{asked}"', *whom, *self.shown_waiting(), *self.shown_data()])

    def described_data(self) -> Iterator[str]:
        """Yield whom it waits for."""
        whom = f"one of these: {', '.join(self.answerers)}" if self.answerers else "somebody"
        yield f"Waits until {whom} has answered."
        yield from super().described_data()
