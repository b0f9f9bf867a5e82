"""Whoever follows the advice of warnings comes to an end: none sends back to where another led."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagster_pgflow.errors import Problem
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.graph import by_slug
from dagster_pgflow.model.options import StepOptions
from dagster_pgflow.model.steps import JoinStep, LoopStep, Step
from dagster_pgflow.validation.lint.delays import BETWEEN_TRIES
from dagster_pgflow.validation.lint.lint import lint
from dagster_pgflow.validation.validate import validate
from tests.drawn_flows import flows
from tests.unit.validation.lint.test_left_behind import forked

LONG_ENOUGH = 60
BOTH_WAYS = st.integers(0, 1)


def changed(flow: Flow, slug: str, **update: Any) -> Flow:
    steps = [step.model_copy(update=update) if step.slug == slug else step for step in flow.steps]
    return flow.model_copy(update={"steps": tuple(steps)})


def without(options: Any, *names: str) -> Any:
    return options.model_copy(update=dict.fromkeys(names))


def with_options(flow: Flow, slug: str | None, options: Any) -> Flow:
    if slug is None:
        return flow.model_copy(update={"options": options})
    return changed(flow, slug, options=options)


def followed(flow: Flow, warning: Problem, choice: int) -> Flow | None:  # noqa: C901, PLR0911, PLR0912  one case a warning
    """Returns a flow whose author did what a warning says, one of the two things if it says two.

    There is nothing to follow where only the author knows what was meant.
    """
    parts = warning.path.split(".")
    slug = parts[1] if parts[0] == "steps" else None
    step: Any = by_slug(flow).get(slug or "")
    options = flow.options if step is None else step.options
    names = re.findall(r'"(\w+)"', warning.message)
    match warning.code:
        case "when-unmet-without-condition":
            return changed(flow, step.slug, when_unmet="skip")
        case "setting-without-effect":
            return _without_settings(flow, step, warning, choice)
        case "delay-without-retry" if choice and "of a step" in warning.message:
            # What a step does not say holds for it as the flow says it.
            first = next(one for one in flow.steps if one.needs_handler)
            return changed(flow, first.slug, options=without(first.options, "max_attempts"))
        case "delay-without-retry" if choice:
            return with_options(flow, slug, options.model_copy(update={"max_attempts": 2}))
        case "delay-without-retry":
            return with_options(flow, slug, without(options, *BETWEEN_TRIES))
        case "base-delay-above-max-delay":
            base, most = map(int, re.findall(r"(\d+) s", warning.message)[:2])
            mended = {"max_delay": base} if choice else {"base_delay": most}
            return with_options(flow, slug, options.model_copy(update=mended))
        case "cascade-to-final-step" if choice:
            return flow.model_copy(update={"output_schema": {"required": []}})
        case "cascade-to-final-step":
            told = re.search("use (skip|fail)", warning.message)
            assert told is not None
            return _conducting(flow, names[1:-1], "skip-cascade", told[1])
        case "reference-to-a-skip" if warning.message.startswith("When step"):
            return _conducting(flow, names[:1], "skip", "fail" if choice else "skip-cascade")
        case "join-waits-for-all":
            return changed(flow, step.slug, wait="all")
        case "target-of-many":
            return _as_join(flow, step)
        case "left-behind" if choice and "where not, let" in warning.message:
            begin, arrived = names[-2:]
            deps = (*by_slug(flow)[begin].depends_on, arrived)
            return changed(flow, begin, depends_on=deps)
        case "left-behind":
            return _as_join(flow, step)
        case "condition-without-effect":
            return changed(flow, step.slug, if_not=None)
        case "loop-condition-never-changes":
            return changed(flow, step.slug, condition="ctx.iteration < 2")
        case "loop-around-nothing":
            return changed(flow, step.slug, handler="shop.price")
        case _:
            return None


def _without_settings(flow: Flow, step: Step, warning: Problem, choice: int) -> Flow:
    if "collects the errors" in warning.message:
        mended: dict[str, Any] = {"collect_errors": False} if choice else {"when_exhausted": "fail"}
        return changed(flow, step.slug, **mended)
    if "its key has no effect" in warning.message:
        return changed(flow, step.slug, key=None)
    if choice and "name a handler" in warning.message:
        return changed(flow, step.slug, handler="shop.price")
    return changed(flow, step.slug, options=StepOptions(), when_exhausted="fail")


def _conducting(flow: Flow, slugs: list[str], before: str, after: str) -> Flow:
    for slug in slugs:
        step = by_slug(flow)[slug]
        for name in ("when_unmet", "when_exhausted"):
            if getattr(step, name) == before:
                flow = changed(flow, slug, **{name: after})
    return flow


def _as_join(flow: Flow, step: Step) -> Flow:
    """Puts a join of some in place of a step, or before it where it is none."""
    if isinstance(step, JoinStep):
        return changed(flow, step.slug, wait="any")
    join = JoinStep(slug=f"{step.slug}_join", depends_on=step.depends_on, wait="any")
    led = {
        other.slug: _led_to_join(other, step.slug, join.slug)
        for other in flow.steps
        if step.slug in other.targets
    }
    steps = [led.get(other.slug, other) for other in flow.steps]
    place = next(place for place, other in enumerate(steps) if other.slug == step.slug)
    steps[place : place + 1] = [join, step.model_copy(update={"depends_on": (join.slug,)})]
    return flow.model_copy(update={"steps": tuple(steps)})


def _led_to_join(step: Any, slug: str, join: str) -> Step:
    def there(path: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(join if target == slug else target for target in path)

    if isinstance(step, LoopStep):
        paths = {"break_path": there(step.break_path), "timeout_path": there(step.timeout_path)}
        return step.model_copy(update=paths)
    rules = tuple(rule.model_copy(update={"then": there(rule.then)}) for rule in step.rules)
    routes = {"rules": rules, "default_path": there(step.default_path)}
    moved: Step = step.model_copy(update=routes)
    return moved


def follow(flow: Flow, choices: dict[str, int]) -> None:
    """Follows one warning after another, always in the same way; this must come to an end."""
    told: list[str] = []
    for _ in range(LONG_ENOUGH):
        ahead = [
            (warning, mended)
            for warning in lint(flow)
            if (mended := followed(flow, warning, choices.get(warning.code, 0))) is not None
        ]
        if not ahead:
            return
        warning, mended = ahead[0]
        told.append(str(warning))
        if validate(mended):
            return  # The advice was not meant for this place, which the author is told at once.
        flow = mended
    pytest.fail("\n".join(told))


CODES = [
    "setting-without-effect",
    "delay-without-retry",
    "base-delay-above-max-delay",
    "cascade-to-final-step",
    "reference-to-a-skip",
    "left-behind",
]
choices = st.fixed_dictionaries(dict.fromkeys(CODES, BOTH_WAYS))


@given(flows(), choices)
def test_advice_about_any_flow_comes_to_an_end(flow: Flow, choices: dict[str, int]) -> None:
    follow(flow, choices)


@given(forked(), choices)
def test_advice_about_ways_comes_to_an_end(flow: Flow, choices: dict[str, int]) -> None:
    follow(flow, choices)
