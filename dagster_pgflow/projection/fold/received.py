"""What a subflow step gives its flow, found out once more from the rows of a run."""

from typing import Any

from dagster_pgflow.expressions.references import INPUT, ITEM, NODES, filled
from dagster_pgflow.model.run_state import Json
from dagster_pgflow.model.steps import SubflowStep
from dagster_pgflow.model.steps.data_map import merges_input
from dagster_pgflow.projection.fold.outputs import merged
from dagster_pgflow.projection.layout.layout import StepPlace
from dagster_pgflow.step_errors import ReferenceFailed


def received(
    place: StepPlace, given: Json | None, around: Json | None, index: int | None
) -> Json | None:
    """Return the input of a subrun; none where a mapping leads nowhere, or into what is not here.

    Args:
        place: The subflow step.
        given: What it received itself.
        around: The input of the flow that it belongs to.
        index: The index of the item, where the flow runs once for each.
    """
    step = place.step
    if not isinstance(step, SubflowStep) or (step.input is None and index is None):
        merges = merges_input(step) and bool(place.deps)
        return merged(given.value) if merges and given is not None else given
    values: dict[str, Any] = {} if around is None else {INPUT: around.value}
    values[NODES] = given.value if place.deps and given is not None else {}
    try:
        if index is not None:
            values[ITEM] = filled(step.list_reference, values)[index]
        return Json(values[ITEM] if step.input is None else filled(step.input, values))
    except (ReferenceFailed, LookupError, TypeError):
        return None
