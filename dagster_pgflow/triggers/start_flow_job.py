"""The one job that every code location of ours has: it starts any flow, also one that is no job.

It is what a person can do in Dagster's launchpad for a flow that the location does not list. And it
stands for such flows where Dagster wants the name of a job that it knows: the request sensor
creates their runs itself and has the daemon submit them, and the daemon asks for the job of
whatever it submits.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg

from dagster_pgflow.errors import PgflowError
from dagster_pgflow.model.defaults import UNASKED
from dagster_pgflow.store.requests import Requests

OP = "start_flow"
_CONFIG = {
    "flow": dg.Field(str, description="The slug of the flow."),
    "input": dg.Field(
        dg.Any,
        is_required=False,
        description="Its input, any JSON; without it the flow runs on the defaults of its schema.",
    ),
}


def start_flow_job_name(location: str) -> str:
    """Return the name of the job, which is never that of a flow's job without a prefix.

    >>> start_flow_job_name("pgflow")
    'pgflow__start_flow'
    """
    return f"{location}__start_flow"


def build_start_flow_job(location: str, requests: Requests) -> dg.JobDefinition:
    """Return the job.

    Args:
        location: The name of the repository.
        requests: Where it asks for runs.
    """

    def start(context: dg.OpExecutionContext, _: Mapping[str, Any]) -> Iterator[dg.Output[str]]:
        given = context.op_config
        try:
            run_id = requests.start(given["flow"], given.get("input", UNASKED))
        except PgflowError as error:
            raise dg.Failure(description=str(error), allow_retries=False) from error
        context.log.info('Asked for run %s of flow "%s".', run_id, given["flow"])
        yield dg.Output(str(run_id), metadata={"run_id": str(run_id)})

    name = start_flow_job_name(location)
    op = dg.OpDefinition(
        # No flow has an op of this name: its slug would begin with a digit.
        name=f"{name}__1",
        compute_fn=start,
        ins={},
        outs={"result": dg.Out(str, io_manager_key=_UNKEPT)},
        config_schema=_CONFIG,
        description="Asks for a run of a flow, as `select pgflow.start_flow(...)` does.",
    )
    return dg.GraphDefinition(
        name=name, node_defs=[op], dependencies={dg.NodeInvocation(op.name, OP): {}}
    ).to_job(
        description=(
            "Starts a flow by its slug, also one that is no job of this code location."
            f"\n\n```yaml\nops:\n  {OP}:\n    config:\n      flow: my_flow\n      input: {{}}\n```"
        ),
        resource_defs={_UNKEPT: dg.mem_io_manager},
        executor_def=dg.in_process_executor,
    )


_UNKEPT = "pgflow_unkept"
"""Nothing comes after the op, so its output is kept nowhere."""
