"""What a step does that waits."""

from typing import Any

from dagster_pgflow.runtime.op_execution import Execution
from dagster_pgflow.step_errors import NonRetryable


def run_waiting(execution: Execution) -> Any:
    """Wait.

    Raises:
        NonRetryable: Nothing keeps what steps wait for yet.
    """
    step = execution.work.step
    raise NonRetryable(f'Step "{step.slug}" of type {step.type} cannot wait yet.')
