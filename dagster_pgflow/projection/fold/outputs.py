"""The outputs that events name: they hold them, or say where they are stored."""

from collections.abc import Iterable, Mapping
from typing import Any

from dagster_pgflow.model.run_state import STORED_AT_KEY, Json, StepRow
from dagster_pgflow.projection.layout.layout import Scope
from dagster_pgflow.runtime.data_map import merged_objects
from dagster_pgflow.runtime.values import Batch, from_wire

Outputs = Mapping[str, Any]
"""The stored outputs of a run by Dagster step key, as they travelled between steps."""


def elsewhere() -> Json:
    """Return what stands for an output of which nobody said where it is."""
    return Json({STORED_AT_KEY: None})


def is_elsewhere(value: Any) -> bool:
    """Return whether a value only stands for an output."""
    return isinstance(value, dict) and value.keys() == {STORED_AT_KEY}


def output_in(data: Mapping[str, Any], outputs: Outputs) -> Json:
    """Return the output that an event holds, or says where to find."""
    if "output" in data:
        return Json(data["output"])
    stored = data.get("output_of", "")
    return Json(outputs[stored]) if stored in outputs else elsewhere()


def output_of_task(
    data: Mapping[str, Any], outputs: Outputs, index: int, *, is_whole_list: bool
) -> Json:
    """Return the output of one task; its event may name that of all tasks of its op.

    Args:
        data: What the end of the task says.
        outputs: The stored outputs.
        index: The index of the task.
        is_whole_list: Whether its op does all tasks of a map step.
    """
    output = output_in(data, outputs)
    if "output" in data:
        return output
    value = from_wire(output.value)
    if is_whole_list and isinstance(value, list):
        value = Batch(0, tuple(value))
    if not isinstance(value, Batch):
        return output
    place = index - value.start
    return Json(value.values[place]) if 0 <= place < len(value.values) else elsewhere()


def output_of_scope(scope: Scope, leaves: Iterable[StepRow]) -> Json | None:
    """Return what a flow returned, as far as that can be known; nothing where no leaf completed.

    Args:
        scope: The flow in its place.
        leaves: The rows of its final steps.
    """
    returned = {
        row.step_slug: row.output.value
        for row in leaves
        if row.status == "completed" and row.output is not None
    }
    if not returned:
        return None
    return merged(returned) if scope.merges_output else Json(returned)


def merged(outputs: Mapping[str, Any]) -> Json:
    """Return what steps returned as one object; what stands for it where one is not known.

    Args:
        outputs: What they returned, by slug.
    """
    if any(is_elsewhere(output) for output in outputs.values()):
        return elsewhere()
    return Json(merged_objects(outputs.values()))
