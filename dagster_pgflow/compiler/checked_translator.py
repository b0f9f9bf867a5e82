"""What the translator of a code location says, checked: what is wrong with it is told of the flow.

A translator is code of the user. What it raises, or returns that Dagster cannot have, is a problem
of the one flow that it was asked about.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import dagster as dg

from dagster_pgflow.errors import InvalidFlow, Problem
from dagster_pgflow.expressions.asset_keys import KEY_RULE, is_key
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.graph import by_slug
from dagster_pgflow.model.lowered import LoopNode, LoweredStep, whole_of
from dagster_pgflow.model.steps import Step
from dagster_pgflow.names import OWN_TAGS
from dagster_pgflow.translator import PgflowTranslator


@dataclass(frozen=True)
class CheckedTranslator:
    """Asks a translator, and says which flow it failed for.

    Each method raises `InvalidFlow` where the translator raises, or returns something else than it
    is to.

    Attributes:
        translator: What is asked.
    """

    translator: PgflowTranslator

    def flow_description(self, flow: Flow) -> str:
        """Return what stands first on the page of a flow's job."""
        return _text(self._asked("get_flow_description", whole_of(flow)))

    def step_description(self, flow: Flow, step: LoweredStep) -> str:
        """Return what stands first on the page of a step."""
        return _text(self._asked("get_step_description", *_written(flow, step)))

    def flow_tags(self, flow: Flow) -> dict[str, str]:
        """Return the tags of a flow, as it might have them itself."""
        return _tags(self._asked("get_flow_tags", whole_of(flow)))

    def step_tags(self, flow: Flow, step: LoweredStep) -> dict[str, str]:
        """Return the further tags of a step's op."""
        asked = self._asked("get_step_tags", *_written(flow, step))
        tags = _tags(asked)
        for key in tags:
            if key.startswith(OWN_TAGS):
                raise asked.refused(f'the tag "{key}", which begins like those of this package')
        return tags

    def kinds(self, flow: Flow, step: LoweredStep) -> list[str]:
        """Return the kinds of a step, in the order of the alphabet."""
        return sorted(_texts(self._asked("get_kinds", *_written(flow, step))))

    def owners(self, flow: Flow) -> list[str]:
        """Return the owners of a flow's job."""
        asked = self._asked("get_owners", whole_of(flow))
        for owner in (found := _texts(asked)):
            if "@" not in owner and not re.fullmatch("team:.+", owner):
                raise asked.refused(f'the owner "{owner}", neither an email address nor "team:..."')
        return found

    def group_name(self, flow: Flow) -> str | None:
        """Return the group of the assets that a flow produces."""
        asked = self._asked("get_group_name", whole_of(flow))
        return None if asked.value is None else _text(asked)

    def asset_key(self, flow: Flow, step: LoweredStep, key: str) -> dg.AssetKey:
        """Return the key in Dagster of an asset that a step names."""
        asked = self._asked("get_asset_key", *_written(flow, step), key)
        made = asked.value
        if not isinstance(made, dg.AssetKey):
            raise asked.refused(f"{type(made).__name__}, and no dagster.AssetKey,")
        if not is_key("/".join(part.replace("/", "_") for part in made.path)):
            raise asked.refused(f"{made.path!r:.100}, which can be no key: {KEY_RULE},")
        return made

    def _asked(self, method: str, flow: Flow, step: Step | None = None, *more: str) -> "_Answer":
        ask: Callable[..., Any] = getattr(self.translator, method)
        answer = _Answer(f"{type(self.translator).__name__}.{method}", flow.slug, step)
        try:
            value = ask(flow) if step is None else ask(flow, step, *more)
        except Exception as error:
            told = f"{type(error).__name__}: {error}".strip().splitlines()[0]
            raise answer.problem(f"failed with {told}") from error
        return _Answer(answer.by, answer.flow_slug, step, value)


@dataclass(frozen=True)
class _Answer:
    """What a method of a translator returned.

    Attributes:
        by: The method.
        flow_slug: The flow that it was asked about.
        step: The step, if it was asked about one.
        value: What it returned.
    """

    by: str
    flow_slug: str
    step: Step | None
    value: Any = None

    def refused(self, what: str) -> InvalidFlow:
        """Return the error about what was returned."""
        return self.problem(f"returned {what}")

    def problem(self, trouble: str) -> InvalidFlow:
        """Return the error about the method."""
        about = f'flow "{self.flow_slug}"'
        path = "$" if self.step is None else f"steps.{self.step.slug}"
        if self.step is not None:
            about = f'step "{self.step.slug}" of {about}'
        message = f"{self.by} {trouble} for {about}; correct this translator of the code location."
        return InvalidFlow(self.flow_slug, [Problem("translator-failed", path, message)])


def _written(flow: Flow, step: LoweredStep) -> tuple[Flow, Step]:
    """Return a flow and its step as they are written."""
    whole = whole_of(flow)
    if whole is flow and not isinstance(step, LoopNode):
        return flow, step
    return whole, by_slug(whole)[step.slug]


def _text(answer: _Answer) -> str:
    if not isinstance(answer.value, str):
        raise answer.refused(f"{type(answer.value).__name__}, and not text,")
    return answer.value


def _texts(answer: _Answer) -> list[str]:
    value = answer.value
    is_list = isinstance(value, list | tuple | set | frozenset)
    if not is_list or not all(isinstance(text, str) for text in value):
        raise answer.refused("something else than a list of texts")
    return list(value)


def _tags(answer: _Answer) -> dict[str, str]:
    value = answer.value
    if not isinstance(value, Mapping) or not all(
        isinstance(text, str) for tag in value.items() for text in tag
    ):
        raise answer.refused("something else than tags, which are texts by text,")
    return dict(value)
