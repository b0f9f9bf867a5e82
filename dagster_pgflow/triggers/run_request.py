"""How a run of a flow is asked for, in Dagster's words."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import dagster as dg

from dagster_pgflow.json_values.limits import refuse_beyond_limits
from dagster_pgflow.json_values.sealed import seal
from dagster_pgflow.model.steps.fields import JsonSchema
from dagster_pgflow.names import FLOW_INPUT, REQUESTED_INPUT_KEY, TAG_RUN_ID, job_name
from dagster_pgflow.runtime.inputs import as_run_config


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
        input: The flow's input, any JSON; `{}` when absent.
        run_id: The id that the run gets in `pgflow.runs`, and its run key: of two requests with
            one id Dagster starts one run.
        tags: More tags for the run.
        job_prefix: What the names of jobs begin with in the code location (its setting of this
            name; `flow_` after `build_definitions` without definitions of yours).

    Raises:
        ValueNotJson: The input is not JSON, or more than the limits allow.

    Example:
        >>> request = flow_run_request("order", {"order_id": 7})
        >>> request.job_name, request.run_config
        ('order', {'inputs': {'flow_input': {'order_id': 7}}})
    """
    refuse_beyond_limits(input, f'The input of flow "{slug}"')
    sent = seal({} if input is None else input)
    return _run_request(job_name(slug, job_prefix), sent, run_id, tags or {})


def request_of_schedule(
    slug: str,
    input: Any,  # the word of SQL's start_flow
    input_schema: JsonSchema | None,
    *,
    tags: Mapping[str, str],
    job_prefix: str,
) -> dg.RunRequest:
    """Return the request for a run of a flow where nobody is there to hear that it is refused.

    Args:
        input: The flow's input; one that does not fit makes a run that says so.
        input_schema: The schema of that.
        tags: Tags for the run.
        job_prefix: What the names of jobs begin with.
    """
    sent = as_run_config(input_schema, input)
    return _run_request(job_name(slug, job_prefix), sent, None, tags)


def referring_run_request(
    slug: str, run_id: UUID, *, tags: Mapping[str, str] | None = None, job_prefix: str = ""
) -> dg.RunRequest:
    """Return the request for a run of a flow that fetches its input itself, because it is large.

    Args:
        run_id: The row of `pgflow.run_requests` that has the input, and the run to be.
        tags: More tags for the run.
        job_prefix: What the names of jobs begin with.
    """
    sent = {REQUESTED_INPUT_KEY: str(run_id)}
    return _run_request(job_name(slug, job_prefix), sent, run_id, tags or {})


def _run_request(
    job: str, sent: Any, run_id: UUID | str | None, tags: Mapping[str, str]
) -> dg.RunRequest:
    own = {} if run_id is None else {TAG_RUN_ID: str(run_id)}
    return dg.RunRequest(
        run_key=None if run_id is None else str(run_id),
        job_name=job,
        run_config={"inputs": {FLOW_INPUT: sent}},
        tags={**tags, **own},
    )
