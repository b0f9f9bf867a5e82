"""One load of a code location: where the store, the compiler, the sensors and Dagster meet."""

import logging
import time
from collections.abc import Mapping
from typing import Any

import dagster as dg

from dagster_pgflow.compiler.asset_specs import asset_specs
from dagster_pgflow.compiler.broken_job import missing_job
from dagster_pgflow.compiler.checked_translator import CheckedTranslator
from dagster_pgflow.compiler.emit_job import JobEmitter, JobSettings
from dagster_pgflow.errors import ConfigurationError, InvalidFlow, StoreError, UnknownFlow
from dagster_pgflow.io_manager import PgflowIOManager, in_each_run
from dagster_pgflow.location.listing import listed_flows
from dagster_pgflow.location.pinned import ensure_pinned
from dagster_pgflow.location.pinned_jobs import PinnedJob, PinnedJobs
from dagster_pgflow.location.settings import LocationSettings, name_of, prefix_of, translator_of
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.names import (
    IO_MANAGER_KEY,
    PGFLOW_KEY,
    job_name,
    schedule_name,
)
from dagster_pgflow.projection.sync.sensor import build_projection_sensor
from dagster_pgflow.projection.sync.store import ProjectionStore
from dagster_pgflow.resources import StoreOfSteps
from dagster_pgflow.runtime.handlers import HandlerRegistry
from dagster_pgflow.settings import database_patience
from dagster_pgflow.store.asset_events import AssetEvents
from dagster_pgflow.store.catalog import Catalog
from dagster_pgflow.store.deliveries import Deliveries
from dagster_pgflow.store.live_runs import LiveRuns
from dagster_pgflow.store.opened import opened_store
from dagster_pgflow.store.outputs import OutputStore
from dagster_pgflow.store.pinned_flows import PinnedFlows
from dagster_pgflow.store.requests import Requests
from dagster_pgflow.store.run_tables import RunTables
from dagster_pgflow.store.silent_runs import SilentRuns
from dagster_pgflow.store.trigger_queue import TriggerQueue
from dagster_pgflow.stuck_runs.sensor import build_stuck_runs_sensor
from dagster_pgflow.taken_names import NO_NAMES, TakenNames
from dagster_pgflow.triggers.answer_job import build_answer_job
from dagster_pgflow.triggers.asset_sensor import build_asset_sensor
from dagster_pgflow.triggers.catalog_sensor import Reloader, build_catalog_sensor
from dagster_pgflow.triggers.continued_runs import ContinuedRuns
from dagster_pgflow.triggers.created_runs import CreatedRuns
from dagster_pgflow.triggers.request_sensor import build_request_sensor
from dagster_pgflow.triggers.schedules import build_schedule
from dagster_pgflow.triggers.start_flow_job import build_start_flow_job
from dagster_pgflow.webhooks.sender import Sender

_log = logging.getLogger(__name__)

_TAKEN = (
    "%s cannot be run here: this code location has another %s with the name %s. Rename one of the"
    " two, or give the code location a job_prefix."
)

NO_FLOWS = 0
"""The watermark from before there were any flows, for which no store is asked."""

SENSOR_PATIENCE_S = 5.0
"""How long a code server waits for a database that is away: Dagster gives a sensor a minute."""


class Location:
    """One load of a code location: the flows as of one watermark, and their Dagster objects.

    Args:
        settings: What the user says.
        watermark: What a run is pinned to, in a process that serves a run; a code server takes
            the newest there is.
        taken: The names that other definitions of the code location have.
        only: The one flow that is needed, in a process that serves a run of it; empty when none is,
            and without it all.

    Attributes:
        flows: The flows.
        start_flow_job: The job that starts any flow.
        own_jobs: That one, and the one that answers steps, by name.
        listed: Those that are jobs, by slug.
        without_job: Why flows can have none, by slug: their name is taken.

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
        only: str | None = None,
    ) -> None:
        self._begun_at = time.monotonic()
        self._settings = settings
        self._taken = taken
        self.job_prefix = prefix_of(settings)
        self.name = name_of(settings)
        self.given_database_url = settings.get("database_url")
        self._opened = opened_store(self.given_database_url)
        patience = database_patience()
        self._database_of_runs = self._opened.retrying(patience)
        self.database = self._opened.retrying(
            patience if watermark is not None else min(patience, SENSOR_PATIENCE_S)
        )
        self._catalog = Catalog(self.database)
        # Dagster makes every sensor and schedule of a repository that it loads, and the request
        # sensor names every job: a run worker, which needs one job, must not have them.
        self.serves_a_run = watermark is not None
        self._was_away = False
        self._handlers = HandlerRegistry.collect(settings.get("handlers", ()))
        self.start_flow_job = build_start_flow_job(self.name, Requests(self.database))
        answer_job = build_answer_job(self.name, self.database)
        self.own_jobs = {job.name: job for job in (answer_job, self.start_flow_job)}
        self.flows, listed = self._newest() if watermark is None else self._pinned(watermark, only)
        self.watermark = self.flows.watermark if watermark is None else watermark
        self.without_job = self._without_job()
        self._settings_of_jobs = self._job_settings()
        self.listed = listed - self.without_job.keys()
        self._jobs = self._emitter(self.flows)
        self._pinned_jobs = PinnedJobs(self.pinned_job)

    @property
    def executor(self) -> dg.ExecutorDefinition:
        """What runs the steps of a run."""
        return self._settings.get("executor", dg.in_process_executor)

    def job(self, slug: str) -> dg.JobDefinition:
        """Return the job of a flow."""
        return self._jobs.job(slug, self.flows.tags(slug))

    def pinned_job(self, slug: str, watermark: int) -> PinnedJob:
        """Return the job of a flow as of a watermark, whatever this location was loaded with.

        Raises:
            UnknownFlow: There was no such flow.
            StoreError: It could not be read.
        """
        flows = PinnedFlows(self._catalog, watermark, only=slug)
        return PinnedJob(flows, self._emitter(flows).job(slug, flows.tags(slug)))

    def _flows_and_job(
        self, slug: str, watermark: int
    ) -> tuple[Mapping[str, Flow], dg.JobDefinition]:
        pinned = self._pinned_jobs.get(slug, watermark)
        return pinned.flows, pinned.job

    def jobs(self, only: str | None = None) -> list[dg.JobDefinition]:
        """Return the jobs of the location.

        Those of flows, our own, and what stands for flows that others start but that are not there.

        Args:
            only: The one that is needed; without it all.

        Raises:
            ConfigurationError: A job of others is called as one of our own.
        """
        for name in sorted(self._taken.jobs & self.own_jobs.keys()):
            raise ConfigurationError(
                f'There is another job "{name}" in this code location. Rename it, or that of'
                f' dagster_pgflow: name="{self.name}_flows".'
            )
        found = self._flow_jobs(only)
        found += [job for name, job in self.own_jobs.items() if only in (None, name)]
        there = {job.name for job in found}
        return found + [missing_job(name) for name in self._taken.absent if name not in there]

    def _flow_jobs(self, only: str | None = None) -> list[dg.JobDefinition]:
        return [
            self.job(slug) for slug in sorted(self.listed) if only in (None, self.job_name(slug))
        ]

    def asset_specs(self) -> list[dg.AssetSpec]:
        """Return the assets that the flows produce which are jobs, as far as they can be seen."""
        others = self._taken.assets
        if others is None or not self._settings.get("asset_specs", True):
            return []
        flows = self.flows.readable(sorted(self.listed)).values()
        translator = CheckedTranslator(self._settings_of_jobs.translator)
        return asset_specs(flows, translator, others)

    def job_name(self, slug: str) -> str:
        """Return the name of a flow's job."""
        return job_name(slug, self.job_prefix)

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
        name, requests, store = self.name, Requests(self.database), self.projection_store()
        created = CreatedRuns(self.request_sensor, self._flows_and_job, self.start_flow_job)
        continued = ContinuedRuns(
            self.database, created, store.tables.announce, self.reason_without_job
        )
        return {
            self.request_sensor: lambda: build_request_sensor(
                self.request_sensor,
                requests,
                self.flows,
                self.watermark,
                jobs={slug: self.job(slug) for slug in sorted(self.listed)},
                created=created,
                continued=continued,
                events=TriggerQueue(self.database),
                reason_without_job=self.reason_without_job,
                job_prefix=self.job_prefix,
            ),
            f"{name}_catalog": lambda: build_catalog_sensor(
                f"{name}_catalog",
                self._catalog,
                self.watermark,
                Reloader(time.monotonic(), time.monotonic() - self._begun_at),
                was_away=self._was_away,
            ),
            f"{name}_asset_events": lambda: build_asset_sensor(
                f"{name}_asset_events", AssetEvents(self.database)
            ),
            f"{name}_projection": lambda: build_projection_sensor(
                f"{name}_projection", store, self.webhooks().send_due
            ),
            f"{name}_stuck_runs": lambda: build_stuck_runs_sensor(
                f"{name}_stuck_runs", store, SilentRuns(self.database), LiveRuns(self.database)
            ),
        }

    @property
    def request_sensor(self) -> str:
        """The name of the sensor that starts what was asked for."""
        return f"{self.name}_requests"

    def projection_store(self) -> ProjectionStore:
        """Return what the projection works with."""
        database = self.database
        return ProjectionStore(self._catalog, OutputStore(database), RunTables(database))

    def webhooks(self) -> Sender:
        """Return what tells web services how runs ended."""
        return Sender(Deliveries(self.database))

    def schedules(self) -> dict[str, dg.ScheduleDefinition]:
        """Return each schedule by name; a row that Dagster can make none of has none."""
        found: dict[str, dg.ScheduleDefinition] = {}
        for slug, flow in self.flows.readable(sorted(self.listed)).items():
            for schedule in flow.schedules:
                name = schedule_name(slug, schedule.slug, self.job_prefix)
                if name in self._taken.instigators:
                    what = f'Schedule "{schedule.slug}" of flow "{slug}"'
                    _log.warning(_TAKEN, what, "schedule", name)
                    continue
                try:
                    found[name] = build_schedule(flow, schedule, self.job_prefix)
                except InvalidFlow as invalid:
                    _log.warning("A schedule is left out. %s", invalid)
        return found

    def _newest(self) -> tuple[PinnedFlows, frozenset[str]]:
        try:
            flows = PinnedFlows(self._catalog, self._catalog.watermark())
            listed = listed_flows(self._settings.get("jobs", "all"), flows.heads())
            # What others start by its name has to be there.
            listed |= {slug for slug in flows if self.job_name(slug) in self._taken.named}
            flows.load(listed)
            self._catalog.allow_tags(self._settings.get("allowed_tags", ()))
        except StoreError as error:
            self._was_away = True
            message = "%s is loaded without flows until its database can be read. %s"
            _log.error(message, self.name, error)
            return PinnedFlows(self._catalog, NO_FLOWS), frozenset()
        return flows, listed

    def _pinned(self, watermark: int, only: str | None) -> tuple[PinnedFlows, frozenset[str]]:
        """Return the flows of a process that serves a run, which may be one of any of them."""
        try:
            flows = PinnedFlows(self._catalog, NO_FLOWS if only == "" else watermark, only)
        except UnknownFlow:
            # Dagster says that there is no such job, if nobody else has it.
            flows = PinnedFlows(self._catalog, NO_FLOWS)
        return flows, frozenset(flows)

    def reason_without_job(self, slug: str) -> str | None:
        """Return why a flow can have no job here; `None` when it can."""
        name = self.job_name(slug)
        is_taken = name in self._taken.jobs or name in self.own_jobs
        return _TAKEN % (f'Flow "{slug}"', "job", name) if is_taken else None

    def _without_job(self) -> dict[str, str]:
        """Return why flows have no job, by slug."""
        reasons = ((slug, self.reason_without_job(slug)) for slug in self.flows)
        found = {slug: reason for slug, reason in reasons if reason is not None}
        for reason in found.values():
            _log.warning("%s", reason)
        return found

    def _emitter(self, flows: PinnedFlows) -> JobEmitter:
        return JobEmitter(flows, self._handlers, self._settings_of_jobs, flows.tags)

    def _job_settings(self) -> JobSettings:
        settings = self._settings
        io_manager = settings.get("io_manager") or PgflowIOManager(
            OutputStore(self._database_of_runs), settings.get("spill_to")
        )
        own = {
            PGFLOW_KEY: dg.ResourceDefinition(self._resource),
            IO_MANAGER_KEY: in_each_run(io_manager)
            if isinstance(io_manager, PgflowIOManager)
            else io_manager,
        }
        return JobSettings(
            resources={**settings.get("resources", {}), **own},
            executor=self.executor,
            allowed_tags=tuple(settings.get("allowed_tags", ())),
            job_prefix=self.job_prefix,
            translator=translator_of(settings),
        )

    def _resource(self, _context: dg.InitResourceContext) -> StoreOfSteps:
        """Return the resource of a run, or of a step in a process of its own."""
        ensure_pinned(self.watermark)
        return StoreOfSteps(self._database_of_runs)
