"""What Dagster's web UI tells of an op: what people wrote of the step comes first.

The graph of a job shows the beginning of it inside the node, as it stands: no markup may be in any
sentence that can come first.
"""

import json
from collections.abc import Iterator
from typing import Final

from dagster_pgflow.compiler.checked_translator import CheckedTranslator
from dagster_pgflow.compiler.plan import OpNode
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.lowered import LoweredStep, whole_of
from dagster_pgflow.model.options import retry_policy_of
from dagster_pgflow.model.steps import (
    HandledStep,
    HookedStep,
    SleepStep,
    SubflowStep,
    WaitingStep,
)
from dagster_pgflow.model.steps.fields import listed
from dagster_pgflow.runtime.handlers import Handler, HandlerRegistry
from dagster_pgflow.runtime.hooks import unknown_hooks

_HELP: Final = {
    "fan_out": 'Sends the elements of the list to map step "{slug}".',
    "collect": 'Collects the outputs of map step "{slug}".',
    "items": 'Sends the items of the list to subflow "{slug}".',
    "gather": 'Puts together what subflow "{slug}" receives.',
    "output": 'Puts together what subflow "{slug}" returns.',
    "begin": 'Puts together what the iterations of loop "{slug}" receive from outside.',
    "end": 'Hands on what the last iteration of loop "{slug}" returned.',
    "iterations": 'Runs the iterations of loop "{slug}", each as a run of its own.',
}


def described_op(
    flow: Flow, node: OpNode, handlers: HandlerRegistry, translator: CheckedTranslator
) -> str:
    """Return the description of an op, in markdown.

    Args:
        flow: The flow that the node belongs to.
        node: The node.
        handlers: The handlers of the code location.
        translator: How steps show.
    """
    if node.role != "step":
        return _HELP[node.role].format(slug=node.step.slug)
    return described_step(flow, node.step, handlers, translator.step_description(flow, node.step))


def described_step(
    flow: Flow, step: LoweredStep, handlers: HandlerRegistry, description: str
) -> str:
    """Return the description of a step's op, in markdown: what it does, by what, how patiently.

    Args:
        flow: The flow that the step belongs to.
        step: The step.
        handlers: The handlers of the code location.
        description: What stands first.
    """
    parts = [description, *_handler_lines(flow, step, handlers), *_hook_lines(step, handlers)]
    if isinstance(step, SubflowStep):
        parts.append(f'Flow "{step.flow}" runs here as a run of its own.')
        parts += [*step.described_data(), *_condition_lines(step)]
        return "\n\n".join(part for part in parts if part)
    if not isinstance(step, WaitingStep | SleepStep):
        retry_policy = retry_policy_of(flow.options, step.options)
        parts.append(
            f"Up to {retry_policy.max_attempts} attempts, {retry_policy.base_delay} s base"
            f" delay, {retry_policy.timeout:g} s timeout."
        )
    parts += [*step.described_data(), *_condition_lines(step), *step.described_routes()]
    return "\n\n".join(part for part in parts if part)


def _handler_lines(flow: Flow, step: LoweredStep, handlers: HandlerRegistry) -> Iterator[str]:
    if not isinstance(step, HandledStep) or not step.needs_handler:
        return
    slug = whole_of(flow).slug
    found = handlers.find(slug, step.slug, step.handler)
    if found is not None:
        # The first thing said of a step without a description is what its handler does.
        told = _first_line(found)
        yield f"{told} (handler {found.name})" if told else f"Handler {found.name}."
        return
    wanted = step.handler or f'{slug}.{step.slug}" or "{step.slug}'
    yield (
        f'No handler: this code location registers no handler "{wanted}";'
        " the step will fail until it does."
    )


def _hook_lines(step: LoweredStep, handlers: HandlerRegistry) -> Iterator[str]:
    if not isinstance(step, HookedStep):
        return
    for field, names in step.hooks.items():
        if names:
            yield f"{field.capitalize()} it: {listed(names)}."
    for field, name in unknown_hooks(step, handlers):
        yield (
            f'No handler {field} it: this code location registers no handler "{name}";'
            " the step will fail until it does."
        )


def _first_line(handler: Handler) -> str:
    return (handler.function.__doc__ or "").strip().partition("\n")[0].strip()


def _condition_lines(step: LoweredStep) -> Iterator[str]:
    if step.if_ is not None:
        yield f"Runs if its input contains `{json.dumps(step.if_)}`; otherwise: {step.when_unmet}."
    if step.if_not is not None:
        yield (
            f"Runs unless its input contains `{json.dumps(step.if_not)}`, then: {step.when_unmet}."
        )
    if step.run_if is not None:
        yield f"Runs if `{step.run_if}`; otherwise: {step.when_unmet}."
    if step.run_unless is not None:
        yield f"Runs unless `{step.run_unless}`, then: {step.when_unmet}."
    if step.when_exhausted != "fail":
        yield f"When the last attempt fails: {step.when_exhausted}."
