"""The flow that an argument of a command stands for: stored, one of its versions, or in a file."""

import re
from collections.abc import Collection, Sequence
from pathlib import Path

from dagster_pgflow.cli.opened_store import opened_store
from dagster_pgflow.dsl.document import read_flow_file
from dagster_pgflow.errors import ConfigurationError, InvalidFlow
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.store.flows import FlowBuilder
from dagster_pgflow.validation.validate import ensure_valid

VERSION = re.compile(r"(?P<slug>[^@]+)@(?P<version>\d{1,18})")


def named_flow(name: str) -> Flow:
    """Return the flow; the store is only opened if it is none of a file.

    Args:
        name: A stored flow (order), one of its versions (order@3), or a file (order.yaml).
    """
    if is_file(name):
        return one_of(name, flows_of_file(Path(name)), set())
    with opened_store() as database:
        return stored_flow(FlowBuilder(database), name)


def is_file(name: str) -> bool:
    """Return whether a file is meant, and no stored flow."""
    return Path(name).suffix != ""


def stored_flow(builder: FlowBuilder, name: str) -> Flow:
    """Return a stored flow, or one of its versions."""
    found = VERSION.fullmatch(name)
    return (
        builder.get_flow(found["slug"], int(found["version"])) if found else builder.get_flow(name)
    )


def flows_of_file(path: Path, there: Collection[str] = ()) -> Sequence[Flow]:
    """Return the flows of a file.

    Args:
        path: The file.
        there: The slugs of flows elsewhere that cells of manifests may run.

    Raises:
        InvalidFlow: It cannot be read, with every problem.
    """
    file = read_flow_file(path, there)
    if file.problems:
        raise InvalidFlow(str(path), file.problems)
    return file.flows


def one_of(name: str, flows: Sequence[Flow], slugs: set[str]) -> Flow:
    """Return the flow of a file that is meant: its only one, or the only one of these slugs."""
    chosen = [flow for flow in flows if flow.slug in slugs] if len(flows) > 1 else flows
    if len(chosen) != 1:
        raise ConfigurationError(
            f"{name} holds {len(flows)} flows, and it is not clear which of them is meant:"
            f" {', '.join(flow.slug for flow in flows)}."
        )
    ensure_valid(chosen[0])
    return chosen[0]
