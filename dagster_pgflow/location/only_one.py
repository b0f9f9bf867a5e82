"""That a code location has flows once: what pins its runs has room for one watermark."""

from dagster_pgflow.compat import DefinitionsLoadContext
from dagster_pgflow.errors import ConfigurationError

_PLACE = "dagster-pgflow/flows_of"


def ensure_only_one(place: str) -> None:
    """Note what brings flows into the code location that is being loaded.

    Args:
        place: What it is, for people: a component, or a call. The same one may load again.

    Raises:
        ConfigurationError: Something else did already.
    """
    context = DefinitionsLoadContext.get()
    other = context.get_pending_reconstruction_metadata().get(_PLACE, place)
    if other != place:
        raise ConfigurationError(
            f"Two bring flows into this code location, {other} and {place}, and its runs can be"
            " pinned to those of one alone; let one of them have the handlers of both, or put the"
            " other one into a project (code location) of its own."
        )
    context.add_to_pending_reconstruction_metadata(_PLACE, place)
