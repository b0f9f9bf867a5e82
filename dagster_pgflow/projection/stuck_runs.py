"""Settles runs in which nothing happens any more: asks Dagster what they are, and ends the dead.

What it finds out goes into Dagster's event log, and from there into our rows as everything else
does: the log stays the one source. Each run is a step of its own, noted when it is done, so a pass
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

from dagster_pgflow.model.silent_run import SilentRun
from dagster_pgflow.names import TAG_FLOW, TAG_TOP_RUN, TAG_WATERMARK, child_run_path
from dagster_pgflow.projection.dagster_runs import DagsterRuns
from dagster_pgflow.projection.run_workers import WorkerHealth, worker_health
from dagster_pgflow.projection.silence import (
    UNDER_WAY,
    Signs,
    Verdict,
    ended_sentence,
    longest_silence,
    verdict_by_signs,
    verdict_by_status,
)
from dagster_pgflow.projection.sources import Definitions
from dagster_pgflow.settings import Patience

RUNS_PER_PAGE: Final = 100
RETRIES_LOOKED_AT: Final = 1000


class SilentRunList(Protocol):
    """The silent runs; `store.silent_runs.SilentRuns` is it, and says what each method does."""

    def find(self, quiet: float, limit: int) -> Sequence[SilentRun]: ...  # noqa: D102
    def note_checked(self, dagster_run_ids: Sequence[UUID]) -> None: ...  # noqa: D102
    def call(self, dagster_run_ids: Sequence[UUID]) -> None: ...  # noqa: D102


@dataclass
class Settled:
    """What a pass did.

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
        patience: How long a run may be silent.
        log: Where problems go.
    """

    def __init__(
        self,
        instance: dg.DagsterInstance,
        definitions: Definitions,
        silent_runs: SilentRunList,
        patience: Patience,
        *,
        log: logging.Logger | None = None,
    ) -> None:
        self._instance = instance
        self._runs = DagsterRuns(instance)
        self._definitions = definitions
        self._silent_runs = silent_runs
        self._patience = patience
        self._log = log or logging.getLogger(__name__)

    def settle(self, deadline: float) -> Settled:
        """Ask about every run that is silent; those that are over have the projection look next.

        Args:
            deadline: When to stop, by `time.monotonic`.
        """
        settled = Settled()
        asked = set[UUID]()
        while silent := self._silent_runs.find(self._patience.stuck_after, RUNS_PER_PAGE):
            found = [run.dagster_run_id for run in silent]
            if asked.issuperset(found):
                break
            asked.update(found)
            records = self._runs.records(found)
            for run in silent:
                if time.monotonic() > deadline:
                    settled.is_complete = False
                    return settled
                self._settle_safely(run, records.get(run.dagster_run_id), settled)
        return settled

    def _settle_safely(
        self, silent: SilentRun, record: dg.RunRecord | None, settled: Settled
    ) -> None:
        run_id = silent.dagster_run_id
        try:
            verdict = self._settle(silent, record)
        except Exception as error:  # noqa: BLE001  one run's trouble must not stop the others
            sentence = f"Whether run {run_id} lives could not be found out: {error}"
            self._log.warning(sentence, exc_info=error)
            settled.problems.append(sentence)
        else:
            settled.verdicts[run_id] = verdict
            if verdict in ("over", "dead", "lost"):
                self._silent_runs.call([run_id])
        self._silent_runs.note_checked([run_id])

    def _settle(self, silent: SilentRun, record: dg.RunRecord | None) -> Verdict:
        verdict = verdict_by_status(record.dagster_run.status if record else None)
        if verdict is not None or record is None:
            return verdict or "over"
        run = record.dagster_run
        if child_run_path(run.run_id, run.tags) is not None:
            # It has no process of its own; the run around it answers for it.
            return "waits"
        children = self._open_children(run)
        spoke_at = self._spoke_at([run, *children]) or time.time() - silent.silence
        if time.time() - spoke_at < self._patience.stuck_after:
            return "lives"
        health = worker_health(self._instance, run)
        # Asking may take a while, in which the run may have gone on.
        now = self._instance.get_run_by_id(run.run_id)
        if now is None or now.status is not run.status or self._has_spoken([run], spoke_at):
            return "waits"
        signs = Signs(
            silence=time.time() - spoke_at,
            worker=health.worker,
            is_monitored=self._instance.run_monitoring_enabled,
            longest_silence=self._longest_silence(run, silent.tasks),
        )
        verdict = verdict_by_signs(signs, self._patience)
        if verdict in ("dead", "lost"):
            self._end(run, children, health, spoke_at, is_dead=verdict == "dead")
        return verdict

    def _open_children(self, run: dg.DagsterRun) -> Sequence[dg.DagsterRun]:
        """Return the runs under way that steps of a run have made; they use its process."""
        return self._instance.get_runs(
            dg.RunsFilter(tags={TAG_TOP_RUN: run.run_id}, statuses=list(UNDER_WAY))
        )

    def _spoke_at(self, runs: Sequence[dg.DagsterRun]) -> float | None:
        """Return when the last thing happened in runs, or will: a delay between tries is told."""
        times: list[float] = []
        for run in runs:
            page = self._instance.get_records_for_run(run.run_id, limit=1, ascending=False)
            times += [record.timestamp for record in page.records]
            retries = self._instance.get_records_for_run(
                run.run_id,
                of_type=dg.DagsterEventType.STEP_UP_FOR_RETRY,
                limit=RETRIES_LOOKED_AT,
                ascending=False,
            )
            times += [record.timestamp + _delay_of(record) for record in retries.records]
        return max(times, default=None)

    def _has_spoken(self, runs: Sequence[dg.DagsterRun], since: float) -> bool:
        return (self._spoke_at(runs) or since) > since

    def _longest_silence(self, run: dg.DagsterRun, tasks: int) -> float:
        tree = self._definitions.tree(run.tags[TAG_FLOW], int(run.tags[TAG_WATERMARK]))
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
        reason = ended_sentence(since, health.told, is_dead=is_dead)
        if not is_dead:
            self._ask_to_stop(run)
        for one in [*children, run]:
            now = self._instance.get_run_by_id(one.run_id)
            if now is None or now.is_finished:
                continue
            # What somebody wanted to be cancelled is.
            if one.status is dg.DagsterRunStatus.CANCELING:
                self._instance.report_run_canceled(now, reason)
            else:
                self._instance.report_run_failed(now, reason)
        self._log.warning("Ended run %s. %s", run.run_id, reason)

    def _ask_to_stop(self, run: dg.DagsterRun) -> None:
        """Ask for the end of a process, in case that it lives after all."""
        try:
            self._instance.run_launcher.terminate(run.run_id)
        except Exception as error:  # noqa: BLE001  launchers raise what their platform raises
            self._log.info("Run %s could not be asked to stop: %s", run.run_id, error)


def _delay_of(retry: dg.EventLogRecord) -> float:
    event = retry.event_log_entry.dagster_event
    data = event.event_specific_data if event is not None else None
    return float(getattr(data, "seconds_to_wait", None) or 0.0)


def summary(settled: Settled) -> str:
    """Return what a pass did, in a sentence or two."""
    asked = len(settled.verdicts) + len(settled.problems)
    if not asked and settled.is_complete:
        return "No run is silent."
    ended = settled.number("dead", "lost")
    parts = [f"Asked about {asked} silent {'run' if asked == 1 else 'runs'}: ended {ended},"]
    parts += [f"{settled.number('over')} over, {settled.number('lives', 'waits')} go on."]
    if not settled.is_complete:
        parts.append("Time ran out; the next tick goes on.")
    return " ".join([*parts, *settled.problems[:3]])
