"""The composition root: where the store, the compiler, the sensors and Dagster meet."""

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypedDict, Unpack

import dagster as dg
from upath import UPath

from dagster_pgflow.compat import DefinitionsLoadContext, DefinitionsLoadType, job_to_run
from dagster_pgflow.compiler.broken_job import missing_job
from dagster_pgflow.compiler.emit_job import JobEmitter, JobSettings
from dagster_pgflow.errors import ConfigurationError, InvalidFlow, StoreError
from dagster_pgflow.io_manager import PgflowIOManager
from dagster_pgflow.names import (
    IO_MANAGER_KEY,
    PGFLOW_KEY,
    SLUG_RULE,
    is_valid_slug,
    job_name,
    schedule_name,
)
from dagster_pgflow.projection.sensor import build_projection_sensor
from dagster_pgflow.projection.sources import Sources
from dagster_pgflow.projection.stuck_sensor import build_stuck_runs_sensor
from dagster_pgflow.resources import PgflowResource
from dagster_pgflow.runtime.handlers import HandlerRegistry, HandlerSource
from dagster_pgflow.settings import configured_url, database_patience, database_url
from dagster_pgflow.store.catalog import Catalog
from dagster_pgflow.store.database import Database
from dagster_pgflow.store.outputs import OutputStore
from dagster_pgflow.store.pinned_flows import PinnedFlows
from dagster_pgflow.store.requests import Requests
from dagster_pgflow.store.run_tables import RunTables
from dagster_pgflow.store.silent_runs import SilentRuns
from dagster_pgflow.taken_names import NO_NAMES, TakenNames, taken_by
from dagster_pgflow.triggers.catalog_sensor import Reloader, build_catalog_sensor
from dagster_pgflow.triggers.request_sensor import build_request_sensor
from dagster_pgflow.triggers.schedules import build_schedule

_log = logging.getLogger(__name__)

_TAKEN = (
    "%s cannot be run here: this code location has another %s with the name %s. Rename one of the"
    " two, or give the code location a job_prefix."
)

UNSEEN_PREFIX = "flow_"
"""What jobs are called with where nobody sees which other jobs there are."""

LOAD_DATA_KEY = "dagster-pgflow/catalog"
"""The key under which a run worker finds the watermark that its code location was loaded at."""

SENSOR_PATIENCE_S = 5.0
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
        job_prefix: What the names of jobs and schedules begin with. Without one a job is called as
            its flow; but `build_definitions` that is given no definitions says `flow_`.
        database_url: The database; without it `PGFLOW_DATABASE_URL`, else the embedded server.
    """

    name: str
    handlers: Iterable[HandlerSource]
    resources: Mapping[str, Any]
    executor: dg.ExecutorDefinition
    io_manager: dg.IOManager | dg.IOManagerDefinition
    spill_to: str | UPath
    allowed_tags: Sequence[str]
    job_prefix: str
    database_url: str


class Location:
    """One load of a code location: the flows as of one watermark, and their Dagster objects.

    Args:
        settings: What the user says.
        watermark: What a run is pinned to, in a process that serves a run; a code server takes
            the newest there is.
        taken: The names that other definitions of the code location have.

    Raises:
        ConfigurationError: The handlers or the settings contradict each other.
        StoreError: The store cannot be used, in a process that serves a run. A code server then
            goes without flows, until its catalog sensor finds that they can be loaded.
    """

    def __init__(
        self,
        settings: LocationSettings,
        watermark: int | None = None,
        taken: TakenNames = NO_NAMES,
    ) -> None:
        self._begun_at = time.monotonic()
        self._settings = settings
        self._taken = taken
        self._job_prefix = _prefix_of(settings)
        self.name = settings.get("name", "pgflow")
        given = settings.get("database_url") or configured_url()
        # The embedded server is ours to start again, whoever has ended it.
        database = Database(given or database_url(), revive=None if given else database_url)
        patience = database_patience()
        self._database_of_runs = database.patient(patience)
        self._database = database.patient(
            patience if watermark is not None else min(patience, SENSOR_PATIENCE_S)
        )
        self._catalog = Catalog(self._database)
        # Dagster makes every sensor and schedule of a repository that it loads, and the request
        # sensor names every job: a run worker, which needs one job, must not have them.
        self.serves_a_run = watermark is not None
        self._was_away = False
        self.flows = self._newest() if watermark is None else PinnedFlows(self._catalog, watermark)
        self.watermark = self.flows.watermark
        self.without_job = self._without_job()
        self._jobs = JobEmitter(
            self.flows,
            HandlerRegistry.collect(settings.get("handlers", ())),
            self._job_settings(),
            self.flows.tags,
        )

    def job(self, slug: str) -> dg.JobDefinition:
        """Return the job of a flow."""
        return self._jobs.job(slug, self.flows.tags(slug))

    def jobs(self, only: str | None = None) -> list[dg.JobDefinition]:
        """Return the jobs of flows, and what stands for those that others start but that are not.

        Args:
            only: The one that is needed; without it all.
        """
        found = self._flow_jobs(only)
        there = {job.name for job in found}
        return found + [missing_job(name) for name in self._taken.absent if name not in there]

    def _flow_jobs(self, only: str | None = None) -> list[dg.JobDefinition]:
        return [
            self.job(slug)
            for slug in self.flows
            if slug not in self.without_job and only in (None, self.job_name(slug))
        ]

    def job_name(self, slug: str) -> str:
        """Return the name of a flow's job."""
        return job_name(slug, self._job_prefix)

    def sensors(self) -> dict[str, Any]:
        """Return what makes each sensor, by name.

        Raises:
            ConfigurationError: Another sensor of the code location has one of these names.
        """
        made = self._sensors()
        for name in sorted(self._taken.instigators & made.keys()):
            raise ConfigurationError(
                f'There is another schedule or sensor "{name}" in this code location. Rename it, or'
                f' those of dagster_pgflow: name="{self.name}_flows".'
            )
        return made

    def _sensors(self) -> dict[str, Any]:
        name, requests = self.name, Requests(self._database)
        sources = Sources(self._catalog, OutputStore(self._database), RunTables(self._database))
        return {
            f"{name}_requests": lambda: build_request_sensor(
                f"{name}_requests",
                requests,
                self.flows,
                self.watermark,
                self._flow_jobs(),
                without_job=self.without_job,
                job_prefix=self._job_prefix,
                flows_at=lambda watermark: {head.slug for head in self._catalog.heads(watermark)},
            ),
            f"{name}_catalog": lambda: build_catalog_sensor(
                f"{name}_catalog",
                self._catalog,
                requests,
                self.watermark,
                Reloader(time.monotonic(), time.monotonic() - self._begun_at),
                was_away=self._was_away,
            ),
            f"{name}_projection": lambda: build_projection_sensor(f"{name}_projection", sources),
            f"{name}_stuck_runs": lambda: build_stuck_runs_sensor(
                f"{name}_stuck_runs", sources, SilentRuns(self._database)
            ),
        }

    def schedules(self) -> dict[str, dg.ScheduleDefinition]:
        """Return each schedule by name; a row that Dagster can make none of has none."""
        found: dict[str, dg.ScheduleDefinition] = {}
        for slug, flow in self.flows.readable().items():
            for schedule in flow.schedules if slug not in self.without_job else ():
                name = schedule_name(slug, schedule.slug, self._job_prefix)
                if name in self._taken.instigators:
                    what = f'Schedule "{schedule.slug}" of flow "{slug}"'
                    _log.warning(_TAKEN, what, "schedule", name)
                    continue
                try:
                    found[name] = build_schedule(flow, schedule, self._job_prefix)
                except InvalidFlow as invalid:
                    _log.warning("Without a schedule. %s", invalid)
        return found

    def _newest(self) -> PinnedFlows:
        try:
            flows = PinnedFlows(self._catalog, self._catalog.watermark())
            flows.load_all()
            self._catalog.allow_tags(self._settings.get("allowed_tags", ()))
        except StoreError as error:
            self._was_away = True
            _log.error("%s is loaded without flows, until they can be had. %s", self.name, error)
            return PinnedFlows(self._catalog, 0)
        return flows

    def _without_job(self) -> dict[str, str]:
        """Return why flows have no job, by slug."""
        found = {
            slug: _TAKEN % (f'Flow "{slug}"', "job", self.job_name(slug))
            for slug in self.flows
            if self.job_name(slug) in self._taken.jobs
        }
        for reason in found.values():
            _log.warning("%s", reason)
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
            job_prefix=self._job_prefix,
        )


def build_repository(**settings: Unpack[LocationSettings]) -> dg.RepositoryDefinition:
    """Return a code location in which each stored flow is a job.

    A run executes the definitions that its code location was loaded with, in every process; a
    run worker loads and compiles only its own flow.

    When the database cannot be used, the code location has no flows, says so in the log and in its
    sensor `<name>_catalog`, and loads them by itself once it can. A run then fails with the reason.

    Args:
        **settings: See `LocationSettings`.

    Raises:
        ConfigurationError: The handlers or the settings contradict each other.
        StoreError: The database cannot be used, in a process that serves a run; the message says
            what to do.
    """
    location = Location(settings, _pinned_watermark())

    @dg.repository(name=location.name, description="Flows stored in Postgres.")
    def flows() -> dict[str, dict[str, Any]]:
        jobs = {location.job_name(slug): _later(location.job, slug) for slug in location.flows}
        if location.serves_a_run:
            return {"jobs": jobs}
        return {"jobs": jobs, "schedules": location.schedules(), "sensors": location.sensors()}

    return flows.replace_repository_load_data({LOAD_DATA_KEY: str(location.watermark)}, None)


def build_definitions(
    mine: dg.Definitions | None = None, /, **settings: Unpack[LocationSettings]
) -> dg.Definitions:
    """Return definitions of your own together with what `build_repository` returns.

    Runs are pinned in the same way, and a run worker loads and compiles the flow that it runs. A
    run of a job that is not ours needs neither the flows nor their database.

    Two jobs of a code location cannot have one name. A flow that is called as a job among `mine`
    has none, and its requests are refused with a sentence that says so. Where `mine` is not given,
    such as for `Definitions.merge`, that cannot be seen: then the jobs and schedules of flows have
    the prefix `flow_`.

    Args:
        mine: The definitions that share the code location.
        **settings: See `LocationSettings`.

    Raises:
        ConfigurationError: The handlers or the settings contradict each other, or a sensor among
            `mine` is called as one of ours.
        StoreError: The database cannot be used, in a process that serves a run; the message says
            what to do.

    Example:
        `defs = build_definitions(my_definitions, handlers=[my_handlers])`
    """
    if mine is None:
        settings = {"job_prefix": UNSEEN_PREFIX, **settings}
    watermark, taken = _pinned_watermark(), taken_by(mine)
    wanted = None if watermark is None else job_to_run()
    if wanted is not None and _is_of_others(wanted, taken, _prefix_of(settings)):
        return _together(mine, dg.Definitions(jobs=[missing_job(name) for name in taken.absent]))
    location = Location(settings, watermark, taken)
    DefinitionsLoadContext.get().add_to_pending_reconstruction_metadata(
        LOAD_DATA_KEY, str(location.watermark)
    )
    if location.serves_a_run:
        return _together(mine, dg.Definitions(jobs=location.jobs(wanted)))
    flows = dg.Definitions(
        jobs=location.jobs(),
        schedules=list(location.schedules().values()),
        sensors=[make() for make in location.sensors().values()],
    )
    return _together(mine, flows)


def _together(mine: dg.Definitions | None, flows: dg.Definitions) -> dg.Definitions:
    return flows if mine is None else dg.Definitions.merge(mine, flows)


def _is_of_others(job: str, taken: TakenNames, prefix: str) -> bool:
    """Say whether a job is certainly none of a flow."""
    return taken.has_job(job) or not job.startswith(prefix)


def _pinned_watermark() -> int | None:
    """Return what the run that this process serves is pinned to, or `None` in a code server."""
    context = DefinitionsLoadContext.get()
    if context.load_type is not DefinitionsLoadType.RECONSTRUCTION:
        return None
    pinned = context.reconstruction_metadata.get(LOAD_DATA_KEY)
    return None if pinned is None else int(pinned)


def _prefix_of(settings: LocationSettings) -> str:
    prefix = settings.get("job_prefix", "")
    if prefix and not is_valid_slug(prefix):
        raise ConfigurationError(f'job_prefix="{prefix}" cannot begin a name; {SLUG_RULE}.')
    return prefix


def _later(make: Callable[..., Any], *arguments: Any) -> Callable[[], Any]:
    """Return what makes a definition; Dagster tells it from one by its being a plain function."""
    return lambda: make(*arguments)
