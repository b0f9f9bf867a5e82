"""The one form in which a definition is stored, so that equal flows are equal rows."""

import heapq
from graphlib import TopologicalSorter
from typing import Any

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.graph import known_deps
from dagster_pgflow.model.options import (
    DEFAULT_BASE_DELAY,
    DEFAULT_MAX_ATTEMPTS,
    DEFAULT_MAX_DELAY,
    DEFAULT_TIMEOUT,
)
from dagster_pgflow.model.steps import Step

_FLOW_DEFAULTS = {
    "max_attempts": DEFAULT_MAX_ATTEMPTS,
    "base_delay": DEFAULT_BASE_DELAY,
    "timeout": DEFAULT_TIMEOUT,
    "max_delay": DEFAULT_MAX_DELAY,
    "jitter": "none",
}


def stored_form(flow: Flow) -> dict[str, Any]:
    """Return a sound flow as `pgflow.flow_definition` will return it.

    Each step stands behind its dependencies and otherwise where the author put it; dependencies
    count once; schedules are in the order of their slugs; what equals a default is absent.

    Args:
        flow: A flow that passed validation.
    """
    ordered = flow.model_copy(
        update={
            "steps": tuple(_with_each_dep_once(step) for step in _behind_their_deps(flow)),
            "schedules": tuple(sorted(flow.schedules, key=lambda schedule: schedule.slug)),
        }
    )
    document = ordered.to_json()
    options = {
        name: value
        for name, value in document.pop("options", {}).items()
        if value != _FLOW_DEFAULTS.get(name)
    }
    return document | ({"options": options} if options else {})


def _behind_their_deps(flow: Flow) -> list[Step]:
    position = {step.slug: index for index, step in enumerate(flow.steps)}
    sorter = TopologicalSorter(known_deps(flow))
    sorter.prepare()
    ready: list[int] = []
    ordered: list[Step] = []
    while sorter.is_active():
        for slug in sorter.get_ready():
            heapq.heappush(ready, position[slug])
        step = flow.steps[heapq.heappop(ready)]
        ordered.append(step)
        sorter.done(step.slug)
    return ordered


def _with_each_dep_once(step: Step) -> Step:
    return step.model_copy(update={"depends_on": tuple(dict.fromkeys(step.depends_on))})
