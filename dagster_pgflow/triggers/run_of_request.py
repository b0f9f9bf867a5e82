"""The run that a stored request asks for, whoever starts it."""

from collections.abc import Mapping
from uuid import UUID

import dagster as dg

from dagster_pgflow.json_values.text import read_json
from dagster_pgflow.model.defaults import input_of_run
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.names import TAG_TRIGGER
from dagster_pgflow.runtime.inputs import breach
from dagster_pgflow.store.requests import Requests
from dagster_pgflow.triggers.run_request import flow_run_request, referring_run_request

MOST_INPUT_BYTES = 64 * 1024
"""The size up to which an input travels in the request; a larger one the run fetches itself.

So a tick reads and sends a few MB at most. Dagster 1.13 gives a message of a code server 100 MB.
"""


class RequestRefused(Exception):
    """The request cannot be run, for the reason that it says."""


def run_of_request(
    queue: Requests,
    flows: Mapping[str, Flow],
    slug: str,
    run_id: UUID,
    job_prefix: str,
    *,
    tags: Mapping[str, str] | None = None,
) -> dg.RunRequest:
    """Return the run that a request asks for.

    Args:
        queue: The requests.
        flows: The flows that there are.
        slug: The flow.
        run_id: The request.
        job_prefix: What the names of jobs begin with.
        tags: More tags for the run.

    Raises:
        RequestRefused: It cannot be run.
        ValueNotJson: Its input is more than JSON from outside may be.
        InvalidFlow: The definition of the flow cannot be read.
    """
    if slug not in flows:
        raise RequestRefused(f'Flow "{slug}" was deleted before this run could start.')
    schema = flows[slug].input_schema
    found = queue.small_input(run_id, MOST_INPUT_BYTES)
    if found.triggered_by is not None:
        tags = {**(tags or {}), TAG_TRIGGER: found.triggered_by}
    if found.text is None:
        # Its schema is looked at where the run begins.
        return referring_run_request(slug, run_id, tags=tags, job_prefix=job_prefix)
    given = read_json(found.text, f'The input of flow "{slug}"')
    reason = breach(schema, input_of_run(schema, given))
    if reason is not None:
        raise RequestRefused(f'The input does not fit the input schema of flow "{slug}": {reason}')
    return flow_run_request(slug, given, run_id, tags=tags, job_prefix=job_prefix)
