"""What a running step does around the call of its handler: other handlers, and its schemas."""

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from dagster_pgflow.json_values.limits import refuse_beyond_limits
from dagster_pgflow.model.steps import BranchStep, MapStep
from dagster_pgflow.runtime.data_map import kept, refuse_unkept
from dagster_pgflow.runtime.decisions import decision_of_branch, handed_on
from dagster_pgflow.runtime.held import MOST_WARNINGS, held_input, held_on_route, held_output
from dagster_pgflow.runtime.hooks import Around

if TYPE_CHECKING:
    from dagster_pgflow.runtime.op_execution import Execution


def around_of(execution: "Execution", index: int, given: Any, handed: Any) -> Around:
    """Return what happens around one call of the handler.

    Args:
        execution: The execution.
        index: The index of the task.
        given: The input of the step, or an element of a map step.
        handed: The same as its handler knows it.
    """
    step, place, warn = execution.work.step, _place(execution, index), partial(_warn, execution)

    def kept_of(taken: Any) -> Any:
        # A handler before may have returned another input, which then is what is kept.
        return given if taken is handed else taken

    def taken(value: Any) -> Any:
        held = held_input(step, value, place, warn)
        refuse_unkept(step, kept_of(held), execution.path)
        return held

    def returned(value: Any, output: Any) -> Any:
        held = held_output(step, output, place, warn)
        return kept(step, kept_of(value), held, execution.path)

    return replace(execution.work.hooks, taken=taken, returned=returned)


def passed_on(execution: "Execution", value: Any) -> Any:
    """Return what a step without a handler hands on, held to its schemas.

    Args:
        execution: The execution.
        value: What it received.
    """
    received = execution.received(value)
    around = around_of(execution, 0, received.input, received.input)
    output = around.returned(around.taken(received.input), handed_on(execution.work.step, received))
    refuse_beyond_limits(output, f'The output of step "{execution.path}"')
    return held_on_its_route(execution, value, output)


def held_on_its_route(execution: "Execution", given: Any, output: Any) -> Any:
    """Return the output of a step, held to what the rule of a branch that it takes says of it.

    Args:
        execution: The execution.
        given: What the step received.
        output: What it returned.
    """
    step = execution.work.step
    if not isinstance(step, BranchStep) or all(rule.output_schema is None for rule in step.rules):
        return output
    number = decision_of_branch(step, execution.deciding(given, output)).rule
    if not isinstance(number, int):
        return output
    rule, place = step.rules[number], _place(execution, 0)
    return held_on_route(step, rule, output, place, partial(_warn, execution))


def _place(execution: "Execution", index: int) -> str:
    is_map = isinstance(execution.work.step, MapStep)
    return str(execution.path.at(index if is_map else None))


def _warn(execution: "Execution", sentence: str) -> None:
    """Keep a warning for the run's log and the event log; a long list of them tells no more."""
    said = execution.unanswered
    if sentence in said or len(said) > MOST_WARNINGS:
        return
    if len(said) == MOST_WARNINGS:
        sentence = f'Step "{execution.path}" has more values that do not fit its schemas.'
    said.append(sentence)
