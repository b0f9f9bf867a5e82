"""A fragment in a host: what the host's steps are once the fragment's are among them.

Afterwards nothing tells the steps of a fragment from others, but for one thing. A handler is
written with the names of the fragment, so a step keeps those of its dependencies in its params.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Annotated, Any, Protocol, runtime_checkable

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from dagster_pgflow.expressions.renaming import renamed_condition
from dagster_pgflow.model.steps import (
    HandledStep,
    Step,
)
from dagster_pgflow.model.steps.data_map import merges_input
from dagster_pgflow.model.steps.fields import StepBase
from dagster_pgflow.names import NAMES_KEY


@runtime_checkable
class Includable(Protocol):
    """What can be included in a flow: a fragment."""

    @property
    def slug(self) -> str:
        """Its name."""

    @property
    def steps(self) -> tuple[Step, ...]:
        """Its steps."""

    @property
    def entries(self) -> tuple[str, ...]:
        """The steps that come first."""

    @property
    def exits(self) -> dict[str, str]:
        """The steps that others may depend on, by the names of the exits."""


def _by_name(given: Any) -> Any:
    """Return steps under the names that they have in the fragment: their own, unless told."""
    match given:
        case str():
            return {given: given}
        case Sequence() if all(isinstance(slug, str) for slug in given):
            return {slug: slug for slug in given}
        case _:
            return given


def _in_a_tuple(given: Any) -> Any:
    return (given,) if isinstance(given, str) else given


class Inclusion(BaseModel):
    """A call of `.include()`.

    Attributes:
        fragment: The fragment.
        prefix: What the slugs of its steps begin with in the host.
        depends_on: The steps of the host that its entries wait for, by their names in it.
        targets: The steps of the host that depend on each exit.
    """

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)

    fragment: Includable
    prefix: str
    depends_on: Annotated[dict[str, str], BeforeValidator(_by_name)]
    targets: dict[str, Annotated[tuple[str, ...], BeforeValidator(_in_a_tuple)]] = Field(
        alias="exits"
    )

    def slug_of(self, slug: str) -> str:
        """Return the slug that a step of the fragment has in the host."""
        return f"{self.prefix}_{slug}"

    @property
    def exits_of(self) -> Mapping[str, tuple[str, ...]]:
        """For each step of the host the exits that it is to depend on, as steps of the host."""
        found: dict[str, dict[str, None]] = {}
        for name, step in self.fragment.exits.items():
            for target in self.targets.get(name, ()):
                found.setdefault(target, {})[self.slug_of(step)] = None
        return {target: tuple(exits) for target, exits in found.items()}

    def added_to(self, host: Sequence[Step]) -> tuple[Step, ...]:
        """Return the steps of the host with those of the fragment behind them.

        Args:
            host: Its steps, which the inclusion has no problem with.
        """
        exits = self.exits_of
        own = (
            step.model_copy(update={"depends_on": with_more(step, exits[step.slug])})
            if step.slug in exits
            else step
            for step in host
        )
        return (*own, *(self._included(step) for step in self.fragment.steps))

    def host_deps_of(self, step: StepBase) -> tuple[str, ...]:
        """Return the steps of the host that a step of the fragment is to depend on."""
        return tuple(self.depends_on.values()) if step.slug in self._entries else ()

    def conditions_of(self, step: Step) -> Mapping[str, str | None]:
        """Return the conditions in CEL of a step as they are in the host.

        One is `None` where it does not tell which steps it asks for.
        """
        return self._renamed(step, step.expressions)

    def decisions_of(self, step: StepBase) -> Mapping[str, str | None]:
        """Return in the same way what a step asks to find out how the run goes on."""
        return self._renamed(step, step.decisions)

    def computed_of(self, step: StepBase) -> Mapping[str, str | None]:
        """Return in the same way what a step asks for a value."""
        return self._renamed(step, step.computed)

    def _renamed(self, step: StepBase, asked: Mapping[str, str]) -> Mapping[str, str | None]:
        names = self.names_for(step)
        roots = ("deps", "input") if self._has_deps(step) else ("deps",)
        return {field: renamed_condition(text, names, roots) for field, text in asked.items()}

    @cached_property
    def _entries(self) -> frozenset[str]:
        return frozenset(self.fragment.entries)

    @cached_property
    def _slugs(self) -> Mapping[str, str]:
        return {step.slug: self.slug_of(step.slug) for step in self.fragment.steps}

    def names_for(self, step: StepBase) -> Mapping[str, str]:
        """Return the slugs in the host of all that a step may name.

        What an entry waits for goes first: it may be called like another step of the fragment.
        """
        return {**self._slugs, **(self.depends_on if self.host_deps_of(step) else {})}

    def _has_deps(self, step: StepBase) -> bool:
        """Return whether what a step receives has the names of steps, and not those of its author.

        At the root of a flow it is the flow input, and where it is merged an object.
        """
        return bool(step.depends_on or self.host_deps_of(step)) and not merges_input(step)

    def _included(self, step: Step) -> Step:
        names = self.names_for(step)
        changes: dict[str, Any] = {
            "slug": self.slug_of(step.slug),
            "depends_on": (*(names[dep] for dep in step.depends_on), *self.host_deps_of(step)),
            **self.conditions_of(step),
        }
        if self._has_deps(step):
            changes |= {
                field: pattern if pattern is None else _with_keys(pattern, names)
                for field, pattern in {"if_": step.if_, "if_not": step.if_not}.items()
            }
        changes |= step.in_host(self)
        return step.model_copy(update=changes)

    def handler_of(self, step: HandledStep) -> str:
        """Return the name of the handler of a step, without which it would be sought elsewhere."""
        return step.handler or f"{self.fragment.slug}.{step.slug}"

    def known_names(self, step: HandledStep) -> Mapping[str, str]:
        """Return the names by which a handler knows its dependencies, where they are others."""
        before: Mapping[str, str] = step.params.get(NAMES_KEY, {})
        from_host = self.depends_on if self.host_deps_of(step) else {}
        names = [*((dep, self.slug_of(dep)) for dep in step.depends_on), *from_host.items()]
        known = {slug: before.get(name, name) for name, slug in names}
        return {slug: name for slug, name in known.items() if slug != name}


def with_more(step: Step, deps: Sequence[str]) -> tuple[str, ...]:
    """Return the dependencies of a step with some more, each of them once."""
    return tuple(dict.fromkeys((*step.depends_on, *deps)))


def _with_keys(pattern: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    return {names.get(key, key): value for key, value in pattern.items()}
