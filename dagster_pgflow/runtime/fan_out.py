"""How a map step gets its batches: from the op before it, or from one of its own."""

import time
from dataclasses import replace
from typing import Any

from dagster_pgflow.model.steps import MapStep
from dagster_pgflow.runtime.assembly import assemble
from dagster_pgflow.runtime.conditions import Facts
from dagster_pgflow.runtime.frames import Frame, check
from dagster_pgflow.runtime.holding import arrived as needed
from dagster_pgflow.runtime.input_parts import InputPart
from dagster_pgflow.runtime.mapping import split
from dagster_pgflow.runtime.values import Batch, Skipped, kind_of
from dagster_pgflow.step_errors import ConditionNotMet, TypeViolation


def batches_of(
    frame: Frame, step: MapStep, given: Any, facts: Facts | None = None
) -> list[Batch | Skipped]:
    """Return what the ops of a map step receive; there is always at least one.

    A map step that is skipped, that may not run or that has nothing to do has one op too: it
    says so in the run's log and hands the news to its dependents.

    Args:
        frame: The flow that the map step belongs to.
        step: The map step.
        given: The flow input for a root map, `{dep: output}` otherwise, or `Skipped`.
        facts: What its conditions in CEL may ask.
    """
    whole = whole_list_of(frame, step, given, facts)
    if isinstance(whole, Skipped) or whole.error is not None:
        return [whole]
    # One delay for the whole step, wherever and one after the other its ops may run.
    delay = step.options.start_delay
    not_before = time.time() + delay if delay else None
    return [replace(batch, not_before=not_before) for batch in split(step, whole.values)]


def whole_list_of(
    frame: Frame, step: MapStep, given: Any, facts: Facts | None = None
) -> Batch | Skipped:
    """Return all elements of a map step, why it is skipped, or why it cannot run.

    Args:
        frame: The flow that the map step belongs to.
        step: The map step.
        given: The flow input for a root map, `{dep: output}` otherwise, or `Skipped`.
        facts: What its conditions in CEL may ask.
    """
    try:
        admitted = check(frame, step, given, facts)
        if isinstance(admitted, Skipped):
            return admitted
        elements = tuple(_elements(frame, step, admitted))
        return Batch(0, elements, len(elements))
    except (ConditionNotMet, TypeViolation) as error:
        return Batch(0, (), 0, str(error))


def taken_over(frame: Frame, step: MapStep, arrived: Any) -> Batch | Skipped:
    """Return what one op of a pipelined map step receives from an op of the map step before.

    Args:
        frame: The flow that the map step belongs to.
        step: The map step; it has no conditions.
        arrived: What that op sent: a batch of outputs, or the news that its step is skipped.
    """
    received: Batch | Skipped = needed(arrived)
    if isinstance(received, Batch):
        return received
    before = InputPart(step.depends_on[0])
    given = check(frame, step, assemble(frame.receiver(step), (before,), {before: arrived}))
    return given if isinstance(given, Skipped) else Batch(0, (), 0)


def _elements(frame: Frame, step: MapStep, given: Any) -> list[Any]:
    """Return the list to map over; a dependency that was skipped counts as an empty one.

    Raises:
        TypeViolation: There is something else in its place.
    """
    elements = given.get(step.depends_on[0], []) if step.depends_on else given
    if isinstance(elements, list):
        return elements
    path = frame.path_of(step)
    got = kind_of(elements)
    source = (
        f'step "{step.depends_on[0]}" returned {got}'
        if step.depends_on
        else f'the input of flow "{frame.flow.slug}" is {got}'
    )
    raise TypeViolation(f'Map step "{path}" needs a list, but {source}; return a list from there.')
