"""What Dagster's web UI shows beside the graph of a job: its definition, its version, its rows.

All of it is in the snapshot of the job, so it is short: a large flow is named, not written out.
Params that name secrets name them here as well; what they are is known to running steps alone.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import dagster as dg

from dagster_pgflow.dsl.flow_text import flow_text
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.steps import SubflowStep
from dagster_pgflow.names import TAG_VERSION, job_name

_MOST_STEPS: Final = 40
"""Writing YAML takes a millisecond a step, for each flow that a code location loads."""

_LONGEST: Final = 6_000
_MOST_INSIDE: Final = 20


def job_metadata(
    flow: Flow, tags: Mapping[str, str], job_prefix: str = ""
) -> dict[str, dg.MetadataValue[Any]]:
    """Return the metadata of a flow's job.

    Args:
        flow: The flow.
        tags: The tags that say which version the job runs.
        job_prefix: What the names of jobs begin with.
    """
    found = {
        "definition": _definition(flow),
        "version": _version(flow, tags.get(TAG_VERSION, "")),
        "rows": _fenced(_rows(flow), "sql"),
        "runs flows": "\n".join(_inside(flow, job_prefix)),
    }
    return {key: dg.MetadataValue.md(text) for key, text in found.items() if text}


def _definition(flow: Flow) -> str:
    whole = f"`dagster-pgflow export {flow.slug}` prints all of it."
    if len(flow.steps) > _MOST_STEPS:
        return f"{len(flow.steps)} steps. {whole}"
    text = flow_text([flow], "yaml")
    if len(text) <= _LONGEST:
        return _fenced(text, "yaml")
    begin = text[:_LONGEST].rpartition("\n")[0]
    return f"{_fenced(begin, 'yaml')}\n\n{whole}"


def _version(flow: Flow, version: str) -> str:
    if not version.isdecimal() or int(version) < 2:
        return version
    before = int(version) - 1
    return (
        f"{version}. What changed: `dagster-pgflow diff {flow.slug}@{before} {flow.slug}@{version}`"
    )


def _rows(flow: Flow) -> str:
    return (
        "select run_id, status, created_at, completed_at, error_message\n"
        "from pgflow.runs\n"
        f"where flow_slug = '{flow.slug}'\n"
        "order by created_at desc limit 20"
    )


def _inside(flow: Flow, job_prefix: str) -> Iterator[str]:
    """Yield a line for each flow that steps run, with the job that runs it alone."""
    slugs = list(dict.fromkeys(s.flow for s in flow.steps if isinstance(s, SubflowStep)))
    for slug in slugs[:_MOST_INSIDE]:
        yield f"- `{slug}` (job `{job_name(slug, job_prefix)}`)"
    if len(slugs) > _MOST_INSIDE:
        yield f"- and {len(slugs) - _MOST_INSIDE} more"


def _fenced(text: str, language: str) -> str:
    """Return text as a block of code, whatever stands in it."""
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"
