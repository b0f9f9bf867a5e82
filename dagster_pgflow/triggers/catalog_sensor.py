"""The sensor that brings new and changed flows into Dagster, without a restart.

What a code location offers is fixed while it is loaded (a list of jobs that changes under the
UI's feet breaks the UI), so new definitions mean loading it again. The code server does that
itself when it is asked at the address where Dagster's daemon reaches it.
"""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import dagster as dg

from dagster_pgflow.errors import StoreError
from dagster_pgflow.store.catalog import Catalog

INTERVAL_S = 5
GRACE_S = 10.0
"""A code server that reloads ends the process that asked it to well within this time."""

SHARE_OF_TIME_FOR_LOADING = 0.2
"""At most this share of its time a code server spends loading. No request waits for it: the run of
a flow that is newer is created in its own version."""


@dataclass
class Reloader:
    """Reloads this code location.

    Attributes:
        loaded_at: When it was loaded, by `time.monotonic`.
        load_time: How many seconds that took.
    """

    loaded_at: float
    load_time: float
    _under_way: threading.Lock = field(default_factory=threading.Lock)
    _answered_at: float | None = None

    def is_soon(self) -> bool:
        """Return whether a reload now would make loading take too large a share of the time."""
        return time.monotonic() - self.loaded_at < self.load_time / SHARE_OF_TIME_FOR_LOADING

    def reload(self, context: dg.SensorEvaluationContext) -> bool:
        """Ask for the reload without waiting for it; return whether this code server can do it.

        The server starts a new process and ends this one when the new one serves, so whoever
        asks must not wait for the answer. One that answers and lets this process live on does
        nothing when it is asked: `dagster api grpc` is like that.
        """
        if self._answered_at is not None and time.monotonic() - self._answered_at > GRACE_S:
            return False
        # Only a server that the daemon reaches by gRPC has a client: `dagster dev` and
        # `dagster code-server start` do. The others are loaded by the process that asks.
        connect = getattr(context.code_location_origin, "create_client", None)
        if connect is None:
            return False
        if self._under_way.acquire(blocking=False):
            timeout = context.instance.code_server_reload_timeout
            threading.Thread(
                target=self._ask, args=(connect, timeout), name="pgflow-reload", daemon=True
            ).start()
        return True

    def _ask(self, connect: Callable[[], Any], timeout: int) -> None:
        try:
            connect().reload_code(timeout=timeout)
            self._answered_at = time.monotonic()
        finally:
            self._under_way.release()


def build_catalog_sensor(
    name: str,
    catalog: Catalog,
    watermark: int,
    reloader: Reloader,
    *,
    was_away: bool = False,
) -> dg.SensorDefinition:
    """Return the sensor that reloads the code location when flows have changed.

    Args:
        watermark: The moment as of which the code location has the flows.
        reloader: What reloads it.
        was_away: Whether the store could not be used when the code location was loaded, which has
            no flows therefore.
    """

    def evaluate(context: dg.SensorEvaluationContext) -> Iterator[dg.SkipReason]:
        try:
            newest = catalog.watermark()
        except StoreError as error:
            if not was_away:
                raise
            what_then = "They are loaded as soon as it answers."
            yield dg.SkipReason(f"No flows are loaded. {error} {what_then}")
            return
        if newest <= watermark and not was_away:
            yield dg.SkipReason(f"All flows are loaded (version {watermark}).")
            return
        if reloader.is_soon() and not was_away:
            yield dg.SkipReason("Flows have changed; the next reload comes a little later.")
        elif reloader.reload(context):
            yield dg.SkipReason(f"Flows have changed; loading them (version {newest}).")
        else:
            yield dg.SkipReason(
                "Flows have changed, but this code server cannot reload itself: restart it, or"
                " serve the code location with `dagster code-server start`, which can."
            )

    return dg.SensorDefinition(
        name=name,
        evaluation_fn=evaluate,
        minimum_interval_seconds=INTERVAL_S,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Loads new and changed flows into Dagster.",
    )
