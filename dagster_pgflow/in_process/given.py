"""What a caller gives: flows in any form, and handlers over those that are registered."""

from collections.abc import Iterable, Mapping
from types import ModuleType
from typing import Any

from dagster_pgflow.dsl.manifest.reading import is_manifest
from dagster_pgflow.dsl.manifest_text import read_manifest
from dagster_pgflow.dsl.workflow_json import is_workflow, read_workflow
from dagster_pgflow.errors import ConfigurationError
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.runtime.handlers import Handler, HandlerRegistry, HandlerSource
from dagster_pgflow.validation.salvage import flow_of_document

FlowSource = Flow | Mapping[str, Any] | str
"""A flow, a document that has been read, or the slug of a stored flow."""

HandlerSources = HandlerSource | Iterable[HandlerSource] | None
"""Functions by handler name, handlers, modules that hold some, or several of these."""


def flow_in(given: Flow | Mapping[str, Any], flows: Iterable[str] = ()) -> Flow:
    """Return the flow that a caller gives.

    Args:
        given: A flow; or a flow document, workflow document or manifest that has been read.
        flows: The slugs of the flows that cells of a manifest may run.

    Raises:
        InvalidFlow: The document is none, with all that is wrong.
        ConfigurationError: It is nothing of the kind.
    """
    match given:
        case Flow():
            return given
        case Mapping() if is_manifest(given):
            return read_manifest(given, flows=tuple(flows))
        case Mapping() if is_workflow(given):
            return read_workflow(given)
        case Mapping():
            return flow_of_document(given)
        case _:
            raise ConfigurationError(
                f"{given!r} is no flow; give a Flow, a document that has been read, or the slug of"
                " a stored flow."
            )


def registry_of(given: HandlerSources) -> HandlerRegistry:
    """Return the registered handlers, with those that a caller gives over them.

    Args:
        given: The handlers; of two that have one name, the later one counts.

    Raises:
        ConfigurationError: What is given holds no handlers.
    """
    found = dict(HandlerRegistry.collect().handlers)
    for source in _sources(given):
        found |= HandlerRegistry.collect([source]).handlers
    return HandlerRegistry(found)


def _sources(given: HandlerSources) -> Iterable[HandlerSource]:
    if given is None:
        return ()
    if isinstance(given, Handler | ModuleType | Mapping):
        return (given,)
    return given
