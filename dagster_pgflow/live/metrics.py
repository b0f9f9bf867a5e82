"""What Prometheus is told of a live worker.

The labels are code locations and words of closed sets, so there are few series, however many flows
there are: what a single flow does is in the run tables.
"""

from collections.abc import Sequence
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from dagster_pgflow.live.live_location import LiveLocation
from dagster_pgflow.live.messages import Began, Died, Ended, Ready, Report, Trouble, Unusable

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

WAITS_S: Final = (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300)
RUNS_S: Final = (0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300, 1800, 7200)

BY_LOCATION: Final = ("code_location",)


class Metrics:
    """Counts what is reported, and asks code locations how they are when Prometheus wants to know.

    Args:
        locations: The code locations that are served; it may grow.
    """

    def __init__(self, locations: Sequence[LiveLocation]) -> None:
        self._locations = locations
        self._registry = CollectorRegistry()
        self._count_runs()
        self._count_troubles()
        self._make_gauges()

    def _count_runs(self) -> None:
        registry = self._registry
        self._started = Counter(
            "pgflow_live_runs_started", "Runs that began.", BY_LOCATION, registry=registry
        )
        self._ended = Counter(
            "pgflow_live_runs_ended",
            "Runs that ended, by Dagster's word for how, or died with their process.",
            (*BY_LOCATION, "status"),
            registry=registry,
        )
        self._waited = Histogram(
            "pgflow_live_wait_seconds",
            "Seconds from a request to the start of its run.",
            BY_LOCATION,
            buckets=WAITS_S,
            registry=registry,
        )
        self._took = Histogram(
            "pgflow_live_run_seconds",
            "Seconds from the start of a run until its rows were written.",
            BY_LOCATION,
            buckets=RUNS_S,
            registry=registry,
        )

    def _count_troubles(self) -> None:
        registry = self._registry
        self._deaths = Counter(
            "pgflow_live_process_deaths",
            "Processes that did not end by themselves.",
            BY_LOCATION,
            registry=registry,
        )
        self._troubles = Counter(
            "pgflow_live_troubles",
            "Times that something went wrong that was no run's own.",
            BY_LOCATION,
            registry=registry,
        )
        self._imports = Counter(
            "pgflow_live_imports",
            "Imports of the code location, by whether it could be served then.",
            (*BY_LOCATION, "result"),
            registry=registry,
        )

    def _make_gauges(self) -> None:
        def gauge(name: str, says: str) -> Gauge:
            return Gauge(name, says, BY_LOCATION, registry=self._registry)

        self._waiting = gauge("pgflow_live_requests_waiting", "Requests that have no run yet.")
        self._busy = gauge("pgflow_live_processes_busy", "Processes that execute a run.")
        self._alive = gauge("pgflow_live_processes", "Processes that the template has started.")
        self._ready = gauge("pgflow_live_ready", "1 when runs start that are asked for, else 0.")
        self._beat = gauge(
            "pgflow_live_heartbeat_age_seconds", "Seconds since the store took a heartbeat."
        )

    def observe(self, location: LiveLocation, report: Report) -> None:
        """Count what is reported."""
        name = location.name
        match report:
            case Began():
                self._started.labels(name).inc()
                self._waited.labels(name).observe(max(0.0, report.waited_s))
            case Ended():
                self._ended.labels(name, report.status).inc()
                self._took.labels(name).observe(report.seconds)
            case Died() if report.exit_code:
                self._deaths.labels(name).inc()
            case Trouble():
                self._troubles.labels(name).inc()
            case Ready() if report.has_flows:
                self._imports.labels(report.code_location, "served").inc()
            case Unusable():
                self._imports.labels(name, "failed").inc()
            case _:
                pass

    def as_text(self) -> bytes:
        """Return all of it, as Prometheus reads it."""
        for location in list(self._locations):
            if location.has_flows and location.is_served:
                self._look_at(location)
        return generate_latest(self._registry)

    def _look_at(self, location: LiveLocation) -> None:
        name, age = location.name, location.beat_age_s
        self._waiting.labels(name).set(location.waiting)
        self._busy.labels(name).set(location.busy)
        self._alive.labels(name).set(location.alive)
        self._ready.labels(name).set(location.why_not_ready() is None)
        self._beat.labels(name).set(float("inf") if age is None else age)
