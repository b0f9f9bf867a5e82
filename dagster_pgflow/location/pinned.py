"""What the run that a process serves is pinned to."""

from dagster_pgflow.compat import DefinitionsLoadContext, DefinitionsLoadType
from dagster_pgflow.errors import ConfigurationError
from dagster_pgflow.names import LOAD_DATA_KEY


def pinned_watermark() -> int | None:
    """Return the watermark that Dagster asks for now, or `None` in a code server."""
    context = DefinitionsLoadContext.get()
    if context.load_type is not DefinitionsLoadType.RECONSTRUCTION:
        return None
    pinned = context.reconstruction_metadata.get(LOAD_DATA_KEY)
    return None if pinned is None else int(pinned)


def ensure_pinned(watermark: int) -> None:
    """Raise where Dagster asks for other definitions than those that a step is about to execute.

    Args:
        watermark: Those that it is about to execute.

    Raises:
        ConfigurationError: The module of the code location was imported for another run, and what
            it calls hides from Dagster that it has to be called again.
    """
    asked = pinned_watermark()
    if asked in (None, watermark):
        return
    raise ConfigurationError(
        f"This process has the flows of watermark {watermark}, which an earlier run needed, and"
        f" this run is pinned to {asked}. A process that serves many runs, such as a Celery worker,"
        " needs definitions that Dagster can ask for again: give yours to build_definitions(...)"
        " instead of merging them, or merge them in a function below @dagster.definitions."
    )
