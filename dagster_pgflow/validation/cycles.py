"""Dependencies form no cycle."""

from collections.abc import Iterator

from dagster_pgflow.errors import Problem
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.graph import find_cycle, known_deps
from dagster_pgflow.validation.rule import KnownFlows


def dependencies_form_no_cycle(flow: Flow, _known: KnownFlows) -> Iterator[Problem]:
    """Check that the steps can be put in an order; a step's own dependency is another rule."""
    edges = {
        slug: tuple(dep for dep in deps if dep != slug) for slug, deps in known_deps(flow).items()
    }
    cycle = find_cycle(edges)
    if cycle:
        shown = " -> ".join(cycle)
        yield Problem(
            "dependency-cycle", "steps", f"Steps wait for each other: {shown}; remove one of these."
        )
