"""What is said about the waits between tries has an effect."""

from collections.abc import Iterator

from dagster_pgflow.errors import Problem
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.options import (
    DEFAULT_MAX_DELAY,
    StepOptions,
    TryOptions,
    retry_policy_of,
)
from dagster_pgflow.validation.rule import KnownFlows

BETWEEN_TRIES = ("base_delay", "max_delay", "jitter")
NOTHING_SAID = TryOptions()


def delays_have_an_effect(flow: Flow, _known: KnownFlows) -> Iterator[Problem]:
    """Look for waits between tries where there is one try, and for waits that are cut off."""
    own = [step for step in flow.steps if step.needs_handler]
    tries = [retry_policy_of(flow.options, step.options).max_attempts for step in own]
    if tries and max(tries) <= 1:
        says_so_itself = retry_policy_of(flow.options, StepOptions()).max_attempts <= 1
        where = "" if says_so_itself else " of a step"
        yield from _never_waits("The flow", "options", flow.options, where)
    else:
        yield from _cut_off("The flow", "options", flow.options, NOTHING_SAID)
    for step, most in zip(own, tries, strict=True):
        name, path = f'Step "{step.slug}"', f"steps.{step.slug}.options"
        if most <= 1:
            yield from _never_waits(name, path, step.options)
        else:
            yield from _cut_off(name, path, step.options, flow.options)


def _never_waits(name: str, path: str, options: TryOptions, where: str = "") -> Iterator[Problem]:
    said = [option for option in BETWEEN_TRIES if getattr(options, option) is not None]
    if said:
        yield Problem(
            "delay-without-retry",
            path,
            f"{name} says how to wait between tries ({', '.join(said)}), but has only one try;"
            f" raise max_attempts{where}, or leave this out.",
        )


def _cut_off(name: str, path: str, options: TryOptions, inherited: TryOptions) -> Iterator[Problem]:
    """Look for a delay that was said and is longer than the longest; defaults are nobody's word."""
    if options.base_delay is None and options.max_delay is None:
        return  # What is inherited whole was looked at where it was said.
    first = options.base_delay if options.base_delay is not None else inherited.base_delay
    both = retry_policy_of(inherited, StepOptions(**options.model_dump(include={"max_delay"})))
    if first is not None and first > both.max_delay:
        is_default = both.max_delay == DEFAULT_MAX_DELAY
        yield Problem(
            "base-delay-above-max-delay",
            path,
            f"{name} has a base_delay of {first} s and a max_delay of {both.max_delay} s"
            f"{' (the default)' if is_default else ''}, so every wait is {both.max_delay} s;"
            " lower base_delay, or raise max_delay.",
        )
