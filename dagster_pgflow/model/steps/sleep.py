"""The sleep: a time passes."""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Literal

from dagster_pgflow.errors import Problem
from dagster_pgflow.model.described import Examples
from dagster_pgflow.model.exact import Whole
from dagster_pgflow.model.steps.data_map import DataMapFields, KeepingStep
from dagster_pgflow.model.steps.fields import CommonFields, Host
from dagster_pgflow.model.steps.waiting import problems_of_seconds


class SleepFields(CommonFields, DataMapFields, total=False):
    """What a sleep may say besides."""

    seconds: int
    until: str


class SleepStep(KeepingStep):
    """A step that waits until a time has passed; it returns `{slept_until: time}`.

    Attributes:
        seconds: How many seconds after it began.
        until: CEL that gives the time: text such as `2030-01-31T12:00:00Z` (RFC 3339).
    """

    builder: ClassVar[str] = "sleep"

    examples: ClassVar[Examples] = {"seconds": 3600, "until": "input.delivery_date"}

    type: Literal["sleep"] = "sleep"
    seconds: Whole | None = None
    until: str | None = None

    @property
    def computed(self) -> dict[str, str]:
        """The time, where it is not a number of seconds."""
        return {} if self.until is None else {"until": self.until}

    def problems(self) -> Iterator[Problem]:
        """Yield that it has no end, or two."""
        if (self.seconds is None) == (self.until is None):
            told = "neither seconds nor until" if self.seconds is None else "both"
            named = "" if self.seconds is None else ": seconds and until"
            yield Problem(
                "sleep-without-one-end",
                f"steps.{self.slug}",
                f'Step "{self.slug}" sleeps, and has {told}{named}; say one of the two.',
            )
        if self.seconds is not None:
            yield from problems_of_seconds(self.slug, "seconds", self.seconds)

    def in_host(self, host: Host) -> dict[str, Any]:
        """Return its time in the names of the host."""
        return super().in_host(host) | dict(host.computed_of(self))

    def shown_work(self, _flow_slug: str, _versions: Mapping[str, int]) -> str:
        """Return how long it sleeps."""
        return ", ".join([f"sleeps {self._how_long}", *self.shown_data()])

    def described_data(self) -> Iterator[str]:
        """Yield the same in sentences."""
        yield f"Sleeps {self._how_long}."
        yield from super().described_data()

    @property
    def _how_long(self) -> str:
        return f"until {self.until}" if self.seconds is None else f"for {self.seconds} s"
