"""`read_flows`: the flows of files, for tests that run them without storing them."""

from pathlib import Path

from dagster_pgflow.dsl.document import read_flow_file
from dagster_pgflow.errors import InvalidFlow
from dagster_pgflow.model.flow import Flow


def read_flows(*paths: Path | str) -> tuple[Flow, ...]:
    """Read the flows of files, for `run_flow(slug, flows=...)`.

    Args:
        *paths: Flow files, as `dagster-pgflow load` takes them, but for SQL; manifests may name the
            flows of the files before theirs.

    Raises:
        InvalidFlow: A file cannot be read as flows; with all that is wrong.
        ConfigurationError: There is no such file, or it is of another kind.
    """
    found: list[Flow] = []
    for path in map(Path, paths):
        file = read_flow_file(path, [flow.slug for flow in found])
        if file.problems:
            raise InvalidFlow(str(path), file.problems)
        found += file.flows
    return tuple(found)
