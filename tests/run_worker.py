"""The processes of a run, as a code location sees them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dagster as dg

from dagster_pgflow.compat import DefinitionsLoadContext, DefinitionsLoadType
from dagster_pgflow.load_defs import LOAD_DATA_KEY


def load_data(watermark: int) -> Any:
    """Return what a code server of this watermark hands to the processes of its runs."""

    @dg.repository(name="empty")
    def empty() -> list[dg.JobDefinition]:
        return []

    pinned = empty.replace_repository_load_data({LOAD_DATA_KEY: str(watermark)}, None)
    return pinned.repository_load_data


@contextmanager
def pinned_to(watermark: int) -> Iterator[None]:
    """Loads definitions as Dagster does in a process that serves a run with this watermark."""
    context = DefinitionsLoadContext(DefinitionsLoadType.RECONSTRUCTION, load_data(watermark))
    with DefinitionsLoadContext.scoped(context):
        yield
