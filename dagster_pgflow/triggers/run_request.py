"""How a run of a flow is asked for, in Dagster's words."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import dagster as dg

from dagster_pgflow.names import FLOW_INPUT, TAG_RUN_ID, job_name


def flow_run_request(
    slug: str,
    input: Any = None,  # the word of SQL's start_flow
    run_id: UUID | str | None = None,
    *,
    tags: Mapping[str, str] | None = None,
    job_prefix: str = "",
) -> dg.RunRequest:
    """Return the request for a run of a flow, for sensors and schedules of your own.

    Args:
        slug: The flow.
        input: The flow's input, any JSON; `{}` when absent.
        run_id: The id that the run gets in `pgflow.runs`, and its run key: of two requests with
            one id Dagster starts one run.
        tags: More tags for the run.
        job_prefix: What the names of jobs begin with in the code location (its setting of this
            name; `flow_` after `build_definitions` without definitions of yours).

    Example:
        >>> request = flow_run_request("order", {"order_id": 7})
        >>> request.job_name, request.run_config
        ('order', {'inputs': {'flow_input': {'order_id': 7}}})
    """
    own = {} if run_id is None else {TAG_RUN_ID: str(run_id)}
    return dg.RunRequest(
        run_key=None if run_id is None else str(run_id),
        job_name=job_name(slug, job_prefix),
        run_config={"inputs": {FLOW_INPUT: {} if input is None else input}},
        tags={**(tags or {}), **own},
    )
