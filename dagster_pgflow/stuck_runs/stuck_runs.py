"""Settles runs in which nothing happens any more: asks Dagster what they are, and ends the dead.

What it finds out goes into Dagster's event log, and from there into our rows as everything else
does: the log stays the one source. Each run is a step of its own, noted when it is done, so a tick
may end anywhere, and a run that makes trouble holds up no other.
"""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, Protocol
from uuid import UUID

import dagster as dg

from dagster_pgflow.compat import JobFailureData, RunFailureReason
from dagster_pgflow.dagster_log.dagster_runs import DagsterRuns, RunInDagster
from dagster_pgflow.dagster_log.last_sign import last_sign
from dagster_pgflow.dagster_log.statuses import UNDER_WAY
from dagster_pgflow.dagster_log.which_log import log_of
from dagster_pgflow.model.silent_run import SilentRun
from dagster_pgflow.names import (
    TAG_FLOW,
    TAG_TOP_RUN,
    TAG_WATERMARK,
    child_run_path,
    continuation_of,
    own_tag,
)
from dagster_pgflow.projection.sync.store import Definitions
from dagster_pgflow.settings import StuckThresholds
from dagster_pgflow.stuck_runs.run_workers import LiveRunList, WorkerHealth, worker_health
from dagster_pgflow.stuck_runs.silence import (
    SignsOfLife,
    Verdict,
    ended_sentence,
    longest_silence,
    verdict_by_phase,
    verdict_by_signs,
)

RUNS_PER_PAGE: Final = 100

_UNKNOWN: Final = JobFailureData(error=None, failure_reason=RunFailureReason.UNKNOWN)
"""What keeps a run from going on by itself: its process may still be at work."""


class SilentRunList(Protocol):
    """The silent runs; `store.silent_runs.SilentRuns` is it, and says what each method does."""

    def find(  # noqa: D102
        self, quiet: float, limit: int, own_log: str | None
    ) -> Sequence[SilentRun]: ...
    def note_checked(self, dagster_run_ids: Sequence[UUID]) -> None: ...  # noqa: D102
    def call(self, dagster_run_ids: Sequence[UUID]) -> None: ...  # noqa: D102


@dataclass
class StuckRunsResult:
    """What a tick did about runs that are silent.

    Attributes:
        verdicts: What each run was that it asked about.
        problems: One sentence for each run of which nothing could be found out.
        is_complete: Whether every silent run was asked about before time ran out.
    """

    verdicts: dict[UUID, Verdict] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    is_complete: bool = True

    def number(self, *verdicts: Verdict) -> int:
        """Return how many runs were one of these."""
        return sum(verdict in verdicts for verdict in self.verdicts.values())


class StuckRuns:
    """Asks about silent runs.

    Args:
        instance: The Dagster instance.
        definitions: The stored flows.
        silent_runs: What the run tables know of silent runs.
        live_runs: The runs of live workers.
        thresholds: How long a run may be silent.
        log: Where problems go.
    """

    def __init__(
        self,
        instance: dg.DagsterInstance,
        definitions: Definitions,
        silent_runs: SilentRunList,
        live_runs: LiveRunList,
        thresholds: StuckThresholds,
        *,
        log: logging.Logger | None = None,
    ) -> None:
        self._instance = instance
        self._runs = DagsterRuns(instance)
        self._definitions = definitions
        self._silent_runs = silent_runs
        self._live_runs = live_runs
        self._thresholds = thresholds
        self._log = log or logging.getLogger(__name__)

    def settle(self, deadline: float) -> StuckRunsResult:
        """Ask about every run that is silent; those that are over have the projection look next.

        Args:
            deadline: When to stop, by `time.monotonic`.
        """
        result = StuckRunsResult()
        asked = set[UUID]()
        quiet, own_log = self._thresholds.stuck_after, log_of(self._instance)
        while silent := self._silent_runs.find(quiet, RUNS_PER_PAGE, own_log):
            found = [run.dagster_run_id for run in silent]
            if asked.issuperset(found):
                break
            asked.update(found)
            runs = self._runs.find(found)
            for one in silent:
                if time.monotonic() > deadline:
                    result.is_complete = False
                    return result
                self._settle_safely(one, runs.get(one.dagster_run_id), result)
        return result

    def _settle_safely(
        self, silent: SilentRun, run: RunInDagster | None, result: StuckRunsResult
    ) -> None:
        run_id = silent.dagster_run_id
        try:
            verdict = self._settle(silent, run)
        except Exception as error:  # noqa: BLE001  one run's trouble must not stop the others
            sentence = f"Whether run {run_id} lives could not be found out: {error}"
            self._log.warning(sentence, exc_info=error)
            result.problems.append(sentence)
        else:
            result.verdicts[run_id] = verdict
            if verdict in ("over", "dead", "lost"):
                self._silent_runs.call([run_id])
        self._silent_runs.note_checked([run_id])

    def _settle(self, silent: SilentRun, found: RunInDagster | None) -> Verdict:
        verdict = verdict_by_phase(found.phase if found else None)
        if verdict is not None or found is None:
            return verdict or "over"
        run = found.newest
        if child_run_path(run.run_id, run.tags) is not None:
            # It has no process of its own; the run around it answers for it.
            return "waits"
        if run.status is dg.DagsterRunStatus.NOT_STARTED and continuation_of(run.run_id, run.tags):
            # Nothing of it is in any process: whoever claims the continuation next takes it up.
            return "waits"
        children = self._open_children(run)
        run_ids = [one.run_id for one in (run, *children)]
        spoke_at = last_sign(self._instance, run_ids) or time.time() - silent.silence
        if time.time() - spoke_at < self._thresholds.stuck_after:
            return "lives"
        health = worker_health(self._instance, self._live_runs, run)
        # Asking may take a while, in which the run may have gone on.
        now = self._instance.get_run_by_id(run.run_id)
        if now is None or now.status is not run.status or self._has_spoken(run, spoke_at):
            return "waits"
        signs = SignsOfLife(
            silence=time.time() - spoke_at,
            worker=health.worker,
            is_monitored=self._instance.run_monitoring_enabled,
            longest_silence=self._longest_silence(run, silent.tasks),
        )
        verdict = verdict_by_signs(signs, self._thresholds)
        if verdict in ("dead", "lost"):
            self._end(run, children, health, spoke_at, is_dead=verdict == "dead")
        return verdict

    def _open_children(self, run: dg.DagsterRun) -> Sequence[dg.DagsterRun]:
        """Return the runs under way that steps of a run have made; they use its process."""
        return self._instance.get_runs(
            dg.RunsFilter(tags={TAG_TOP_RUN: run.run_id}, statuses=list(UNDER_WAY))
        )

    def _has_spoken(self, run: dg.DagsterRun, since: float) -> bool:
        return (last_sign(self._instance, [run.run_id]) or since) > since

    def _longest_silence(self, run: dg.DagsterRun, tasks: int) -> float:
        tree = self._definitions.tree(
            run.tags[TAG_FLOW], int(own_tag(run.tags, TAG_WATERMARK) or "")
        )
        return longest_silence((pinned.flow for pinned in tree.values()), tasks)

    def _end(
        self,
        run: dg.DagsterRun,
        children: Sequence[dg.DagsterRun],
        health: WorkerHealth,
        spoke_at: float,
        *,
        is_dead: bool,
    ) -> None:
        """End a run in Dagster, first what its steps have made."""
        since = datetime.fromtimestamp(spoke_at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        reason = ended_sentence(since, health.launcher_says, is_dead=is_dead)
        if not is_dead:
            self._ask_to_stop(run)
        # A process of a live worker that lives after all sees that the run is its own no more.
        self._live_runs.release(UUID(run.run_id))
        for one in [*children, run]:
            now = self._instance.get_run_by_id(one.run_id)
            if now is None or now.is_finished:
                continue
            # What somebody wanted to be cancelled is.
            if one.status is dg.DagsterRunStatus.CANCELING:
                self._instance.report_run_canceled(now, reason)
            else:
                self._instance.report_run_failed(now, reason, None if is_dead else _UNKNOWN)
        self._log.warning("Ended run %s. %s", run.run_id, reason)

    def _ask_to_stop(self, run: dg.DagsterRun) -> None:
        """Ask for the end of a process, in case that it lives after all."""
        try:
            self._instance.run_launcher.terminate(run.run_id)
        except Exception as error:  # noqa: BLE001  launchers raise what their platform raises
            self._log.info("Run %s could not be asked to stop: %s", run.run_id, error)


def summary(result: StuckRunsResult) -> str:
    """Return what a tick did, in a sentence or two."""
    asked = len(result.verdicts) + len(result.problems)
    if not asked and result.is_complete:
        return "No run is silent."
    ended = result.number("dead", "lost")
    parts = [f"Asked about {asked} silent {'run' if asked == 1 else 'runs'}: ended {ended},"]
    parts += [f"{result.number('over')} over, {result.number('lives', 'waits')} go on."]
    if not result.is_complete:
        parts.append("Time ran out; the next tick goes on.")
    return " ".join([*parts, *result.problems[:3]])
