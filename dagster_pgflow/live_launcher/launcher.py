"""The run launcher that a `dagster.yaml` names."""

import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, Self
from uuid import UUID

import dagster as dg
import yaml

from dagster_pgflow.dagster_log.pinned_tags import pinned_tags
from dagster_pgflow.errors import ConfigurationError, PgflowError
from dagster_pgflow.launching.compat import (
    CheckRunHealthResult,
    ConfigurableClassData,
    LaunchRunContext,
    ResumeRunContext,
    RunLauncher,
    WorkerStatus,
)
from dagster_pgflow.launching.live_ends import ask_live_run_to_end
from dagster_pgflow.launching.wrapping_launcher import WrappingLauncher
from dagster_pgflow.live_launcher.handover import BUSY_WAIT_S, hand_over
from dagster_pgflow.live_launcher.reasons import is_of_a_flow, reason_against
from dagster_pgflow.live_launcher.store_of_flows import StoreOfFlows
from dagster_pgflow.names import TAG_STORE, TAG_TOP_RUN, child_run_path, own_tag
from dagster_pgflow.store.live_runs import SILENT_FOR_S

_log = logging.getLogger(__name__)

WAIT_S: Final = 3.0
"""How long a run is offered to live workers before it goes the ordinary way."""


class LiveRunLauncher(WrappingLauncher):
    """Hands runs of flows to live workers, and leaves all others to another launcher.

    Args:
        wrapped: The other launcher.
        database_url: The store of the flows; `None` where the environment says it.
        wait_s: How long a run is offered to live workers.
        ordinary_tags: Tags that say that a run is not for them; `*` stands for any text.
        inst_data: What Dagster read in its `dagster.yaml`.
    """

    def __init__(
        self,
        wrapped: RunLauncher[Any],
        *,
        database_url: str | None = None,
        wait_s: float = WAIT_S,
        ordinary_tags: Sequence[str] = (),
        inst_data: ConfigurableClassData | None = None,
    ) -> None:
        super().__init__(wrapped, inst_data)
        self._store = StoreOfFlows(database_url)
        self._wait_s = wait_s
        self._ordinary_tags = tuple(ordinary_tags)

    @classmethod
    def config_type(cls) -> Any:
        """Return what a `dagster.yaml` may say."""
        launcher = {
            "module": dg.Field(str),
            "class": dg.Field(str),
            "config": dg.Field(dict, is_required=False),
        }
        return {
            "launcher": dg.Field(launcher, is_required=False),
            "database_url": dg.Field(dg.StringSource, is_required=False),
            "wait_s": dg.Field(float, is_required=False),
            "ordinary_tags": dg.Field([str], is_required=False),
        }

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> Self:
        """Return what a `dagster.yaml` describes."""
        said = {name: value for name, value in config_value.items() if name != "launcher"}
        return cls(_wrapped(config_value.get("launcher")), inst_data=inst_data, **said)

    def launch_run(self, context: LaunchRunContext) -> None:
        """Hand a run to a live worker, or have the other launcher launch it."""
        run = context.dagster_run
        if not is_of_a_flow(run) or not self._goes_to_a_live_worker(run):
            self.wrapped.launch_run(context)

    def _goes_to_a_live_worker(self, run: dg.DagsterRun) -> bool:
        origin = run.remote_job_origin
        if origin is None:
            return False
        location = origin.repository_origin.code_location_origin.location_name
        try:
            if str(self._store.store_id()) != own_tag(run.tags, TAG_STORE):
                return False
            room = self._store.live_runs(lambda live_runs: live_runs.room(location))
            if room is None:
                return False
            pinned = pinned_tags(self._instance, run)
            reason = reason_against(run, pinned, self._ordinary_tags)
            if reason is None and not self._is_taken(run, location, room):
                reason = "all of them are busy"
        except PgflowError as error:
            reason = f"nobody can be asked for one, because of this: {error}"
        if reason is not None:
            message = f"This run does not go to a live worker: {reason}."
            self._instance.report_engine_event(message, run, cls=type(self))
        return reason is None

    def _is_taken(self, run: dg.DagsterRun, location: str, room: int) -> bool:
        wait_s = self._wait_s if room > 0 else min(self._wait_s, BUSY_WAIT_S)
        return self._store.ask(
            lambda database: hand_over(self._instance, database, run, location, wait_s)
        )

    def terminate(self, run_id: str) -> bool:
        """End a run; return whether its process was told."""
        run = self._instance.get_run_by_id(run_id)
        if run is None or run.is_finished or not is_of_a_flow(run):
            return self.wrapped.terminate(run_id)
        try:
            if self._ask_to_end(run):
                return True
        except PgflowError as error:
            _log.warning("Whether a live worker has run %s cannot be asked. %s", run_id, error)
        return self.wrapped.terminate(run_id)

    def _ask_to_end(self, run: dg.DagsterRun) -> bool:
        executing = _executing(run)
        if str(executing) == run.run_id:
            return self._store.live_runs(
                lambda live_runs: ask_live_run_to_end(self._instance, live_runs, run)
            )
        if self._store.live_runs(lambda live_runs: live_runs.is_taken(executing)) is None:
            return False
        # The op that executes it looks at its status between two steps.
        if run.status is not dg.DagsterRunStatus.CANCELING:
            self._instance.report_run_canceling(run)
        return True

    @property
    def supports_check_run_worker_health(self) -> bool:
        """Whether Dagster's run monitoring may ask about processes: yes, about live workers'."""
        return True

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """Return whether the process of a run lives."""
        if not is_of_a_flow(run):
            return self._health_of_others(run)
        try:
            silence = self._store.live_runs(lambda live_runs: live_runs.silence(_executing(run)))
        except PgflowError as error:
            # Dagster takes what is unknown for dead.
            return CheckRunHealthResult(WorkerStatus.RUNNING, f"Nobody can be asked. {error}")
        if silence is None:
            return self._health_of_others(run)
        if silence < SILENT_FOR_S:
            return CheckRunHealthResult(WorkerStatus.RUNNING, "A live worker executes it.")
        return CheckRunHealthResult(
            WorkerStatus.FAILED, f"Its live worker has said nothing for {silence:.0f} s."
        )

    def _health_of_others(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        if self.wrapped.supports_check_run_worker_health:
            return self.wrapped.check_run_worker_health(run)
        # Without this launcher Dagster would not ask, and leave the run alone.
        return CheckRunHealthResult(WorkerStatus.RUNNING, "Its run launcher cannot say.")

    def resume_run(self, context: ResumeRunContext) -> None:
        """Have another process go on with a run: not that of a live worker."""
        run = context.dagster_run
        if is_of_a_flow(run):
            try:
                # If the process lives after all, it sees that the run is its own no more.
                self._store.live_runs(lambda live_runs: live_runs.release(UUID(run.run_id)))
            except PgflowError as error:
                _log.warning("Run %s goes on elsewhere, unknown to the store. %s", run, error)
        super().resume_run(context)

    def dispose(self) -> None:
        """Close what is open."""
        self._store.close()
        super().dispose()


def _wrapped(said: Mapping[str, Any] | None) -> RunLauncher[Any]:
    """Return the launcher that the config names; without one Dagster's default."""
    if said is None:
        return dg.DefaultRunLauncher()
    data = ConfigurableClassData(
        said["module"], said["class"], yaml.safe_dump(said.get("config", {}))
    )
    launcher: Any = data.rehydrate()
    if not isinstance(launcher, RunLauncher):
        raise ConfigurationError(
            f"In dagster.yaml, {said['module']}.{said['class']} is no run launcher; below launcher,"
            " LiveRunLauncher needs one."
        )
    return launcher


def _executing(run: dg.DagsterRun) -> UUID:
    """Return the run whose process executes a run: the outermost around it, or it itself."""
    if child_run_path(run.run_id, run.tags) is not None:
        with suppress(KeyError, ValueError):
            return UUID(run.tags[TAG_TOP_RUN])
    return UUID(run.run_id)
