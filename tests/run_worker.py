"""The processes of a run, as a code location sees them."""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from dagster_pgflow.compat import DefinitionsLoadContext, DefinitionsLoadType
from dagster_pgflow.load_defs import LOAD_DATA_KEY


@contextmanager
def pinned_to(watermark: int) -> Iterator[None]:
    """Loads definitions as Dagster does in a process that serves a run with this watermark."""

    @dg.repository(name="empty")
    def empty() -> list[dg.JobDefinition]:
        return []

    pinned = empty.replace_repository_load_data({LOAD_DATA_KEY: str(watermark)}, None)
    context = DefinitionsLoadContext(
        DefinitionsLoadType.RECONSTRUCTION, pinned.repository_load_data
    )
    with DefinitionsLoadContext.scoped(context):
        yield
