"""Flows of manifests, and their steps, for tests."""

from typing import Any

from dagster_pgflow.dsl.manifest.compile import flow_of_manifest
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.graph import by_slug
from dagster_pgflow.validation.validate import validate
from tests.unit.dsl.manifest.manifests import manifest


def flow(ways: str, **changes: Any) -> Flow:
    """Return the flow of a manifest, in which no rule finds a problem."""
    made = flow_of_manifest(manifest(ways, **changes))
    assert validate(made) == ()
    return made


def steps(made: Flow) -> dict[str, Any]:
    """Return the steps by their slugs, each of the kind that the test knows it is."""
    return {**by_slug(made)}
