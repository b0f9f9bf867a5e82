"""What a shell completes: the slugs of stored flows, as far as a database answers at once."""

from collections.abc import Callable
from contextlib import suppress
from threading import Thread
from typing import Any, Final, TypeVar

import click
from click.shell_completion import CompletionItem

Named = TypeVar("Named", bound=Callable[..., Any])

PATIENCE_S: Final = 1.5
"""Who presses Tab waits no longer."""

MOST_SLUGS: Final = 1_000


def flow_slugs(
    ctx: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Return the slugs that begin so; none where no database answers soon.

    Nothing is ever printed, and no embedded server is started for it.
    """
    del ctx
    found: list[CompletionItem] = []

    def look() -> None:
        with suppress(Exception):
            found.extend(
                CompletionItem(slug, help=" ".join(description.split()))
                for slug, description in _stored()
                if slug.startswith(incomplete)
            )

    # A thread, since nothing else ends in time whatever hangs: a name server, a lock, a network.
    looking = Thread(target=look, daemon=True)
    looking.start()
    looking.join(PATIENCE_S)
    return found[:MOST_SLUGS]


def _stored() -> list[tuple[str, str]]:
    from dagster_pgflow.settings import configured_url, embedded_postgres  # noqa: PLC0415
    from dagster_pgflow.store.database import Database  # noqa: PLC0415
    from dagster_pgflow.store.flows import FlowBuilder  # noqa: PLC0415

    url = configured_url()
    if url is None:
        server = embedded_postgres()
        if not server.is_running():
            return []
        url = server.url()
    database = Database(url)
    try:
        return [(flow.slug, flow.description) for flow in FlowBuilder(database).list_flows()]
    finally:
        database.close()


def slug_argument(name: str) -> Callable[[Named], Named]:
    """Return the argument of a command that names a stored flow, which a shell completes."""
    return click.argument(name, shell_complete=flow_slugs)
