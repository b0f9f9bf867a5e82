"""A fragment in a host: what the host's steps are once the fragment's are among them.

Afterwards nothing tells the steps of a fragment from others, but for one thing. A handler is
written with the names of the fragment, so a step keeps those of its dependencies in its params.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Annotated, Any, Protocol, runtime_checkable

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from dagster_pgflow.expressions.references import with_steps_renamed
from dagster_pgflow.expressions.renaming import renamed_condition
from dagster_pgflow.model.step import (
    BranchStep,
    HandledStep,
    LoopStep,
    Rule,
    SingleStep,
    Step,
    SubflowStep,
)
from dagster_pgflow.names import NAMES_KEY

_PATHS = ("break_path", "timeout_path")


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

    def host_deps_of(self, step: Step) -> tuple[str, ...]:
        """Return the steps of the host that a step of the fragment is to depend on."""
        return tuple(self.depends_on.values()) if step.slug in self._entries else ()

    def conditions_of(self, step: Step) -> Mapping[str, str | None]:
        """Return the conditions in CEL of a step as they are in the host.

        One is `None` where it does not tell which steps it asks for.
        """
        return self._renamed(step, step.expressions)

    def decisions_of(self, step: Step) -> Mapping[str, str | None]:
        """Return in the same way what a step asks to find out how the run goes on."""
        return self._renamed(step, step.decisions)

    def _renamed(self, step: Step, asked: Mapping[str, str]) -> Mapping[str, str | None]:
        names = self._names_for(step)
        roots = ("deps", "input") if self._has_deps(step) else ("deps",)
        return {field: renamed_condition(text, names, roots) for field, text in asked.items()}

    @cached_property
    def _entries(self) -> frozenset[str]:
        return frozenset(self.fragment.entries)

    @cached_property
    def _slugs(self) -> Mapping[str, str]:
        return {step.slug: self.slug_of(step.slug) for step in self.fragment.steps}

    def _names_for(self, step: Step) -> Mapping[str, str]:
        """Return the slugs in the host of all that a step may name.

        What an entry waits for goes first: it may be called like another step of the fragment.
        """
        return {**self._slugs, **(self.depends_on if self.host_deps_of(step) else {})}

    def _has_deps(self, step: Step) -> bool:
        """Say whether a step receives outputs by the names of steps, and not the flow input."""
        return bool(step.depends_on or self.host_deps_of(step))

    def _included(self, step: Step) -> Step:
        names = self._names_for(step)
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
        if isinstance(step, SubflowStep):
            changes |= {
                "input": with_steps_renamed(step.input, names),
                "over": names.get(step.over or "", with_steps_renamed(step.over, names)),
                "on_failure": step.on_failure and self.slug_of(step.on_failure),
            }
        if isinstance(step, HandledStep) and step.needs_handler:
            changes["handler"] = step.handler or f"{self.fragment.slug}.{step.slug}"
        if isinstance(step, BranchStep | LoopStep):
            changes |= self._ways_of(step)
        if isinstance(step, HandledStep):
            changes["params"] = with_steps_renamed(step.params, names)
        if isinstance(step, SingleStep):
            changes["params"] |= self._known_as(step)
        return step.model_copy(update=changes)

    def _ways_of(self, step: BranchStep | LoopStep) -> dict[str, Any]:
        """Return where a step leads, in the names of the host."""
        fields = ("default_path",) if isinstance(step, BranchStep) else _PATHS
        ways: dict[str, Any] = {
            field: tuple(self.slug_of(slug) for slug in getattr(step, field)) for field in fields
        }
        asked = self.decisions_of(step)
        if isinstance(step, LoopStep):
            return ways | {"back_to": self.slug_of(step.back_to), "condition": asked["condition"]}
        rules = (
            Rule(when=when or "", then=tuple(self.slug_of(slug) for slug in rule.then))
            for rule, when in zip(step.rules, asked.values(), strict=True)
        )
        return ways | {"rules": tuple(rules)}

    def _known_as(self, step: SingleStep) -> Mapping[str, Any]:
        """Return the param that tells by which names a handler knows its dependencies."""
        before: Mapping[str, str] = step.params.get(NAMES_KEY, {})
        from_host = self.depends_on if self.host_deps_of(step) else {}
        names = [*((dep, self.slug_of(dep)) for dep in step.depends_on), *from_host.items()]
        known = {slug: before.get(name, name) for name, slug in names}
        renamed = {slug: name for slug, name in known.items() if slug != name}
        return {NAMES_KEY: renamed} if renamed else {}


def with_more(step: Step, deps: Sequence[str]) -> tuple[str, ...]:
    """Return the dependencies of a step with some more, each of them once."""
    return tuple(dict.fromkeys((*step.depends_on, *deps)))


def _with_keys(pattern: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    return {names.get(key, key): value for key, value in pattern.items()}
