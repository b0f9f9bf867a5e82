"""The end of a run of which nothing else is missing.

Its process was killed after the last step was done. Dagster 1.13 executes no run that goes on with
another one and has no step.
"""

import dagster as dg

SENTENCE = "All steps were done before; only the end of the run was missing."


def end_at_once(instance: dg.DagsterInstance, run: dg.DagsterRun) -> None:
    """Let a run without steps begin and succeed, with no process.

    Args:
        run: The run; it has been created, and not been submitted.
    """
    for kind in (dg.DagsterEventType.RUN_START, dg.DagsterEventType.RUN_SUCCESS):
        event = dg.DagsterEvent(kind.value, run.job_name, message=SENTENCE)
        instance.report_dagster_event(event, run.run_id)
