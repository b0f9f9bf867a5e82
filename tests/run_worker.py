"""The processes of a run, as a code location sees them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from dagster_pgflow.compat import DefinitionsLoadContext, DefinitionsLoadType
from dagster_pgflow.launching.origins import pinned_load_data


def load_data(watermark: int) -> Any:
    """Return what a code server of this watermark hands to the processes of its runs."""

    return pinned_load_data(None, watermark)


@contextmanager
def pinned_to(watermark: int) -> Iterator[None]:
    """Loads definitions as Dagster does in a process that serves a run with this watermark."""
    context = DefinitionsLoadContext(DefinitionsLoadType.RECONSTRUCTION, load_data(watermark))
    with DefinitionsLoadContext.scoped(context):
        yield
