"""What a branch says to a step that it has cut off, where an op of that step runs all the same.

Dagster skips such steps. But who re-executes a run may choose any steps of it, and of a run that
was stopped behind a branch, before Dagster could say what it skips, "re-execute from failure" takes
these too. Then the branch has sent them nothing, and does not run again.
"""

import dagster as dg

from dagster_pgflow.dagster_log.run_reports import reports_in
from dagster_pgflow.names import RESULT_OUTPUT, TAG_STEP
from dagster_pgflow.reports.report import StepCompleted
from dagster_pgflow.runtime.decisions import not_taken_behind
from dagster_pgflow.runtime.values import Skipped
from dagster_pgflow.step_path import RUN


def left_out_by(context: dg.InputContext) -> Skipped | None:
    """Return what a step would have received if the branch before it had left nothing out.

    Args:
        context: An input of the step, for which no run has stored anything.

    Returns:
        `None` where what feeds the input is no branch, or none that has come to its end.
    """
    upstream = context.upstream_output
    if upstream is None or upstream.name == RESULT_OUTPUT:
        return None
    branch = upstream.op_def
    if branch.output_def_named(upstream.name).is_required:
        return None
    run = context.step_context.dagster_run
    report = reports_in(context.instance, run).get(upstream.step_key)
    if not isinstance(report, StepCompleted) or report.decision is None:
        return None
    return not_taken_behind(RUN.to(branch.tags[TAG_STEP]))
