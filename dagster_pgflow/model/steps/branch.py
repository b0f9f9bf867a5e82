"""The branch: it decides which of the steps behind it run."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import BaseModel, ConfigDict

from dagster_pgflow.errors import Problem
from dagster_pgflow.model.described import Examples
from dagster_pgflow.model.steps.data_map import DataMapFields, KeepingStep
from dagster_pgflow.model.steps.fields import (
    SLUGS,
    Argument,
    Host,
    JsonSchema,
    in_a_tuple,
    listed,
)
from dagster_pgflow.model.steps.hooked import HookedFields, HookedStep
from dagster_pgflow.names import route_output

LONGEST_LABEL: Final = 200
"""How many characters the label of a rule may have."""


class Rule(BaseModel):
    """One of the rules of a branch.

    Attributes:
        when: A condition in CEL.
        then: The steps that the run goes on with when it is the first rule that holds.
        label: What its route is called, for people and in events.
        output_schema: JSON Schema of what the branch returns when this rule is taken.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    examples: ClassVar[Examples] = {
        "when": "input.total > 100",
        "then": ["review"],
        "label": "large",
        "output_schema": {"type": "object"},
    }

    when: str
    then: tuple[str, ...]
    label: str | None = None
    output_schema: JsonSchema | None = None


WrittenRule = tuple[str, Sequence[str] | str] | Mapping[str, Any] | Rule
"""A rule as an author may write it."""


def _as_objects(given: Any) -> Any:
    """Return rules that are written as pairs in the form that documents have."""
    return [_as_object(one) for one in given] if isinstance(given, list | tuple) else given


def _as_object(given: Any) -> Any:
    match given:
        case (when, then):
            return {"when": when, "then": in_a_tuple(then)}
        case {"then": str() as then}:
            return {**given, "then": (then,)}
        case _:
            return given


class BranchFields(HookedFields, DataMapFields, total=False):
    """What a branch may say besides."""

    rules: Sequence[WrittenRule]
    default_path: Sequence[str] | str


class BranchStep(KeepingStep, HookedStep):
    """A step that decides which of the steps behind it run: those of the first rule that holds.

    Without a handler it hands on what it receives: the output of its only dependency,
    `{dep: output}` of several, the flow input at the root of a flow, the object that it merged.

    Attributes:
        rules: What decides, in this order.
        default_path: The steps that the run goes on with when no rule holds; the path may end.
    """

    builder: ClassVar[str] = "branch"

    examples: ClassVar[Examples] = {
        "rules": [{"when": "input.total > 100", "then": ["review"]}],
        "default_path": ["charge"],
    }

    type: Literal["branch"] = "branch"
    rules: Annotated[
        tuple[Rule, ...],
        Argument(
            "a list of pairs: a condition, and the step or steps that it leads to; of dicts with"
            ' "when" and "then" where a rule has a label',
            _as_objects,
        ),
    ]
    default_path: Annotated[tuple[str, ...], SLUGS] = ()

    @property
    def needs_handler(self) -> bool:
        """Whether a handler is named."""
        return self.handler is not None

    @property
    def decisions(self) -> dict[str, str]:
        """The conditions of the rules."""
        return {f"rules[{index}].when": rule.when for index, rule in enumerate(self.rules)}

    @property
    def routes(self) -> dict[str, tuple[str, ...]]:
        """Where each rule leads, and the default path."""
        routes = {f"rules[{index}].then": rule.then for index, rule in enumerate(self.rules)}
        return routes | {"default_path": self.default_path}

    @property
    def targets(self) -> tuple[str, ...]:
        """The steps that rules lead to, and those of the default path."""
        named = [slug for rule in self.rules for slug in rule.then]
        return tuple(dict.fromkeys([*named, *self.default_path]))

    def label_of(self, rule: int | Literal["default"] | None) -> str | None:
        """Return what the route of a rule is called, if it is called anything.

        Args:
            rule: Its number, or `default` for the default path, which has no label.
        """
        return self.rules[rule].label if isinstance(rule, int) else None

    def labels_to(self, target: str) -> tuple[str, ...]:
        """Return the labels of the rules that lead to a step."""
        return tuple(r.label for r in self.rules if r.label is not None and target in r.then)

    def route_output(self, target: str) -> str:
        """Return the name of the output that leads to a target: with the label, if there is one.

        A step that several rules lead to is not on the route of one of them.
        """
        leading = [rule.label for rule in self.rules if target in rule.then]
        only = leading[0] if len(leading) == 1 and target not in self.default_path else None
        named = route_output(target, only)
        plain = {route_output(other) for other in self.targets}
        return route_output(target) if named in plain else named

    def problems(self) -> Iterator[Problem]:
        """Yield that it has no rules, one that leads nowhere, or one that never decides."""
        if not self.rules:
            yield Problem(
                "branch-without-rules",
                f"steps.{self.slug}.rules",
                f'Branch "{self.slug}" has no rules; add one, which is a condition and the steps'
                " that it leads to, or make it a single step.",
            )
        first: dict[str, int] = {}
        for index, rule in enumerate(self.rules):
            path = f"steps.{self.slug}.rules[{index}]"
            if not rule.then:
                yield Problem(
                    "rule-without-steps",
                    f"{path}.then",
                    f"The rule `{rule.when}` leads to no step and only hides the rules"
                    " behind it; name a step in then, or leave the rule out: where no rule"
                    " holds and there is no default_path, the path ends.",
                )
            if first.setdefault(rule.when, index) != index:
                yield Problem(
                    "rule-given-twice",
                    f"{path}.when",
                    f"rules[{first[rule.when]}] has the same condition `{rule.when}`, so this"
                    " one never decides; put the steps of both into then of the first.",
                )
        yield from self._problems_of_labels()

    def _problems_of_labels(self) -> Iterator[Problem]:
        first: dict[str, int] = {}
        for index, rule in enumerate(self.rules):
            path = f"steps.{self.slug}.rules[{index}].label"
            if rule.label is None:
                continue
            if not 1 <= len(rule.label) <= LONGEST_LABEL:
                yield Problem(
                    "invalid-label",
                    path,
                    f"A label has 1 to {LONGEST_LABEL} characters, this one has"
                    f" {len(rule.label)}; shorten it, or leave it out.",
                )
            elif first.setdefault(rule.label, index) != index:
                yield Problem(
                    "label-given-twice",
                    path,
                    f'rules[{first[rule.label]}] is called "{rule.label}" too; give each rule of'
                    " a branch a label of its own.",
                )

    def in_host(self, host: Host) -> dict[str, Any]:
        """Return its rules and its default path in the names of the host."""
        asked = host.decisions_of(self).values()
        rules = (
            rule.model_copy(
                update={"when": when or "", "then": tuple(map(host.slug_of, rule.then))}
            )
            for rule, when in zip(self.rules, asked, strict=True)
        )
        return super().in_host(host) | {
            "rules": tuple(rules),
            "default_path": tuple(map(host.slug_of, self.default_path)),
        }

    def shown_routes(self) -> Iterator[str]:
        """Yield where each rule leads, and what else there is."""
        for rule in self.rules:
            label = "" if rule.label is None else f"{rule.label}: "
            yield f"{label}{', '.join(rule.then) or 'nowhere'} if {rule.when}"
        yield f"otherwise {', '.join(self.default_path) or 'nowhere'}"
        yield from super().shown_routes()

    def described_routes(self) -> Iterator[str]:
        """Yield the same."""
        for rule in self.rules:
            label = "" if rule.label is None else f"**{rule.label}**: "
            yield f"{label}If `{rule.when}`: {listed(rule.then)}."
        yield f"Otherwise: {listed(self.default_path)}."
        yield from super().described_routes()
