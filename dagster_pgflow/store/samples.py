"""What the latest runs of a flow were given and returned: examples for whoever writes a handler."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.graph import known_deps
from dagster_pgflow.model.steps import MapStep, Step
from dagster_pgflow.model.steps.data_map import merges_input
from dagster_pgflow.store.database import Database

MOST_BYTES: Final = 1_000_000
"""How large an output may be to be taken for an example."""


@dataclass(frozen=True)
class Sample:
    """A run that has completed.

    Attributes:
        input: What it began with.
        output: What it returned.
        outputs: What its steps returned, by slug; without those that were skipped or too large.
    """

    input: Any
    output: Any
    outputs: Mapping[str, Any]


def samples_of(database: Database, flow_slug: str, limit: int) -> Sequence[Sample]:
    """Return the latest runs of a flow that have completed, the newest first.

    Args:
        limit: How many at most.
    """
    runs = database.fetch_all("fetch_sampled_runs", flow_slug=flow_slug, limit=limit)
    ids = [str(run["run_id"]) for run in runs]
    rows = database.fetch_all("fetch_sampled_steps", run_ids=ids, most_bytes=MOST_BYTES)
    outputs: dict[str, dict[str, Any]] = {run_id: {} for run_id in ids}
    for row in rows:
        outputs[str(row["run_id"])][row["step_slug"]] = _json(row["output"])
    return [
        Sample(_json(run["input"]), _json(run["output"]), outputs[str(run["run_id"])])
        for run in runs
    ]


def received(flow: Flow, step: Step, sample: Sample) -> tuple[Any, ...]:
    """Return what a step received in a run: one value, or none where that is not known.

    A map step receives elements of a list, and a step that did not run nothing.
    """
    deps = known_deps(flow)[step.slug]
    there = [dep for dep in deps if dep in sample.outputs]
    if step.slug not in sample.outputs or isinstance(step, MapStep) or (deps and not there):
        return ()
    if not deps:
        return (sample.input,)
    if not merges_input(step):
        return ({dep: sample.outputs[dep] for dep in there},)
    merged: dict[str, Any] = {}
    for dep in there:
        output = sample.outputs[dep]
        if not isinstance(output, dict):
            return ()
        merged |= output
    return (merged,)


def _json(text: str | None) -> Any:
    return None if text is None else json.loads(text)
