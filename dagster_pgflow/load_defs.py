"""The composition root: where the store, the compiler, the sensors and Dagster meet."""

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypedDict, Unpack

import dagster as dg
from upath import UPath

from dagster_pgflow.compat import DefinitionsLoadContext, DefinitionsLoadType
from dagster_pgflow.compiler.emit_job import JobEmitter, JobSettings
from dagster_pgflow.errors import InvalidFlow
from dagster_pgflow.io_manager import PgflowIOManager
from dagster_pgflow.names import IO_MANAGER_KEY, PGFLOW_KEY, job_name
from dagster_pgflow.projection.sensor import build_projection_sensor
from dagster_pgflow.projection.sources import Sources
from dagster_pgflow.projection.stuck_sensor import build_stuck_runs_sensor
from dagster_pgflow.resources import PgflowResource
from dagster_pgflow.runtime.handlers import HandlerRegistry, HandlerSource
from dagster_pgflow.settings import database_patience, database_url
from dagster_pgflow.store.catalog import Catalog
from dagster_pgflow.store.database import Database
from dagster_pgflow.store.outputs import OutputStore
from dagster_pgflow.store.pinned_flows import PinnedFlows
from dagster_pgflow.store.requests import Requests
from dagster_pgflow.store.run_tables import RunTables
from dagster_pgflow.store.silent_runs import SilentRuns
from dagster_pgflow.triggers.catalog_sensor import Reloader, build_catalog_sensor
from dagster_pgflow.triggers.request_sensor import build_request_sensor
from dagster_pgflow.triggers.schedules import build_schedule, schedule_name

_log = logging.getLogger(__name__)

LOAD_DATA_KEY = "dagster-pgflow/catalog"
"""The key under which a run worker finds the watermark that its code location was loaded at."""

SENSOR_PATIENCE_S = 10.0
"""How long a code server waits for a database that is away: Dagster gives a sensor a minute."""


class LocationSettings(TypedDict, total=False):
    """What a user may say about a code location; everything may be left out.

    Attributes:
        name: The name of the repository (`pgflow`), and the beginning of its sensors' names.
        handlers: Modules, handlers, or dicts of name to function; installed packages add theirs
            through the entry point group `dagster_pgflow.handlers`.
        resources: Dagster resources for handlers (`ctx.resources`), by key.
        executor: What runs the steps of a run. Without one they run in the run's own process,
            which for short steps is many times quicker than a process for each.
        io_manager: What carries values between steps instead of `PgflowIOManager`.
        spill_to: A folder or object store URL for outputs above 1 MiB, which otherwise go to
            Postgres too.
        allowed_tags: The keys of tags that flows may give to their runs as they are, such as
            `dagster/priority`; `*` stands for any text. All others get the prefix `pgflow/`, or
            are refused. Tags give orders to Dagster and to what launches its runs: they decide
            about images, commands, priorities and limits.
        database_url: The database; without it `PGFLOW_DATABASE_URL`, else the embedded server.
    """

    name: str
    handlers: Iterable[HandlerSource]
    resources: Mapping[str, Any]
    executor: dg.ExecutorDefinition
    io_manager: dg.IOManager | dg.IOManagerDefinition
    spill_to: str | UPath
    allowed_tags: Sequence[str]
    database_url: str


class Location:
    """One load of a code location: the flows as of one watermark, and their Dagster objects.

    Args:
        settings: What the user says.
        watermark: What a run is pinned to, in a process that serves a run; a code server takes
            the newest there is.
    """

    def __init__(self, settings: LocationSettings, watermark: int | None = None) -> None:
        self._begun_at = time.monotonic()
        self._settings = settings
        self.name = settings.get("name", "pgflow")
        database = Database(settings.get("database_url") or database_url())
        patience = database_patience()
        self._database_of_runs = database.patient(patience)
        self._database = database.patient(
            patience if watermark is not None else min(patience, SENSOR_PATIENCE_S)
        )
        self._catalog = Catalog(self._database)
        # Dagster makes every sensor and schedule of a repository that it loads, and the request
        # sensor names every job: a run worker, which needs one job, must not have them.
        self.serves_a_run = watermark is not None
        self.watermark = self._catalog.watermark() if watermark is None else watermark
        self.flows = PinnedFlows(self._catalog, self.watermark)
        if not self.serves_a_run:
            self.flows.load_all()
            self._catalog.allow_tags(settings.get("allowed_tags", ()))
        self._jobs = JobEmitter(
            self.flows,
            HandlerRegistry.collect(settings.get("handlers", ())),
            self._job_settings(),
            self.flows.tags,
        )

    def job(self, slug: str) -> dg.JobDefinition:
        """Return the job of a flow."""
        return self._jobs.job(slug, self.flows.tags(slug))

    def jobs(self) -> list[dg.JobDefinition]:
        """Return the jobs of all flows."""
        return [self.job(slug) for slug in self.flows]

    def sensors(self) -> dict[str, Any]:
        """Return what makes each sensor, by name."""
        name, requests = self.name, Requests(self._database)
        sources = Sources(self._catalog, OutputStore(self._database), RunTables(self._database))
        return {
            f"{name}_requests": lambda: build_request_sensor(
                f"{name}_requests", requests, self.flows, self.watermark, self.jobs()
            ),
            f"{name}_catalog": lambda: build_catalog_sensor(
                f"{name}_catalog",
                self._catalog,
                requests,
                self.watermark,
                Reloader(time.monotonic(), time.monotonic() - self._begun_at),
            ),
            f"{name}_projection": lambda: build_projection_sensor(f"{name}_projection", sources),
            f"{name}_stuck_runs": lambda: build_stuck_runs_sensor(
                f"{name}_stuck_runs", sources, SilentRuns(self._database)
            ),
        }

    def schedules(self) -> dict[str, dg.ScheduleDefinition]:
        """Return each schedule by name; a row that Dagster can make none of has none."""
        found = {}
        for slug, flow in self.flows.readable().items():
            for schedule in flow.schedules:
                try:
                    found[schedule_name(slug, schedule)] = build_schedule(slug, schedule)
                except InvalidFlow as invalid:
                    _log.warning("Without a schedule. %s", invalid)
        return found

    def _job_settings(self) -> JobSettings:
        settings = self._settings
        own = {
            PGFLOW_KEY: PgflowResource(self._database_of_runs),
            IO_MANAGER_KEY: settings.get("io_manager")
            or PgflowIOManager(OutputStore(self._database_of_runs), settings.get("spill_to")),
        }
        return JobSettings(
            resources={**settings.get("resources", {}), **own},
            executor=settings.get("executor", dg.in_process_executor),
            allowed_tags=tuple(settings.get("allowed_tags", ())),
        )


def build_repository(**settings: Unpack[LocationSettings]) -> dg.RepositoryDefinition:
    """Return a code location in which each stored flow is a job.

    A run executes the definitions that its code location was loaded with, in every process; a
    run worker loads and compiles only its own flow.

    Args:
        **settings: See `LocationSettings`.

    Raises:
        ConfigurationError: The handlers or the settings contradict each other.
        StoreError: The database cannot be used; the message says what to do.
    """
    location = Location(settings, _pinned_watermark())

    @dg.repository(name=location.name, description="Flows stored in Postgres.")
    def flows() -> dict[str, dict[str, Any]]:
        jobs = {job_name(slug): _later(location.job, slug) for slug in location.flows}
        if location.serves_a_run:
            return {"jobs": jobs}
        return {"jobs": jobs, "schedules": location.schedules(), "sensors": location.sensors()}

    return flows.replace_repository_load_data({LOAD_DATA_KEY: str(location.watermark)}, None)


def build_definitions(**settings: Unpack[LocationSettings]) -> dg.Definitions:
    """Return the same as `build_repository`, to merge with definitions of your own.

    Runs are pinned in the same way, but each run worker builds the jobs of all flows: Dagster
    loads definitions whole. With hundreds of flows `build_repository` is the quicker way.

    Args:
        **settings: See `LocationSettings`.

    Raises:
        ConfigurationError: The handlers or the settings contradict each other.
        StoreError: The database cannot be used; the message says what to do.

    Example:
        `defs = dg.Definitions.merge(my_definitions, build_definitions(handlers=[my_handlers]))`
    """
    location = Location(settings, _pinned_watermark())
    DefinitionsLoadContext.get().add_to_pending_reconstruction_metadata(
        LOAD_DATA_KEY, str(location.watermark)
    )
    return dg.Definitions(
        jobs=location.jobs(),
        schedules=list(location.schedules().values()),
        sensors=[make() for make in location.sensors().values()],
    )


def _pinned_watermark() -> int | None:
    """Return what the run that this process serves is pinned to, or `None` in a code server."""
    context = DefinitionsLoadContext.get()
    if context.load_type is not DefinitionsLoadType.RECONSTRUCTION:
        return None
    pinned = context.reconstruction_metadata.get(LOAD_DATA_KEY)
    return None if pinned is None else int(pinned)


def _later(make: Callable[..., Any], *arguments: Any) -> Callable[[], Any]:
    """Return what makes a definition; Dagster tells it from one by its being a plain function."""
    return lambda: make(*arguments)
