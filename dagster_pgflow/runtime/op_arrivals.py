"""Whether all that is to come together in an op has arrived there.

Dagster 1.13 leaves out of a list what it cannot load, without a word. Where the ends of the
iterations of a loop come together that is right: only one of them comes. Everywhere else something
was not run that should have been, as when "re-execute from failure" forgets the elements of a map
that had not begun.
"""

import dagster as dg

from dagster_pgflow.compat import FromMultipleSources
from dagster_pgflow.errors import ListNotWhole
from dagster_pgflow.names import ITERATIONS_INPUT
from dagster_pgflow.runtime.op_work import Inputs

MOST_NAMED = 5


def refuse_gaps(context: dg.OpExecutionContext, inputs: Inputs, path: str) -> None:
    """Make sure that nothing is missing where outputs of several ops come together.

    Args:
        context: Where the op runs.
        inputs: What it received.
        path: The step, for the error.

    Raises:
        ListNotWhole: An op that should have sent something has not run.
    """
    running = context.get_step_execution_context()
    for step_input in running.step.step_inputs:
        name, source = step_input.name, step_input.source
        if name == ITERATIONS_INPUT or not isinstance(source, FromMultipleSources):
            continue
        if len(inputs[name]) == len(source.sources):
            continue
        wanted = source.step_output_handle_dependencies
        missing = [output.step_key for output in wanted if not running.can_load(output)]
        named = ", ".join(missing[:MOST_NAMED]) + (", ..." if len(missing) > MOST_NAMED else "")
        raise ListNotWhole(
            f'Step "{path}" has not received all that it collects: {len(missing)} of'
            f" {len(wanted)} ops before it have not run ({named})."
        )
