"""The private parts of Dagster that this package needs, each with the reason.

Tried with Dagster 1.13.
"""

# The dependency on all outputs behind a dynamic output. Public code can only write it as
# `.collect()` inside a @graph function; a plan that is data needs the class itself.
# Says whether a code location is loaded for the first time or rebuilt in a run worker, and with
# what metadata. Public code can only reach it from inside a component or an asset loader.
from dagster._core.definitions.definitions_load_context import (
    DefinitionsLoadContext,
    DefinitionsLoadType,
)
from dagster._core.definitions.dependency import DynamicCollectDependencyDefinition

# What an attempt did that another one follows. Of the events that public code can write, an
# output ends the step, a log line has no metadata, and ExpectationResult is deprecated.
from dagster._core.events import EngineEventData

__all__ = [
    "DefinitionsLoadContext",
    "DefinitionsLoadType",
    "DynamicCollectDependencyDefinition",
    "EngineEventData",
]
