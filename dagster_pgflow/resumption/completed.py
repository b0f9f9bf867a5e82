"""What has been done of a run that did not come to its end, by it and those that it goes on with.

What counts is the newest run that was to execute a step: one that began again with what feeds a
step, made what stood behind worthless. Free of Dagster.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import assert_never

from dagster_pgflow.dagster_log.run_events import EarlierRun, RunEvent, Sent
from dagster_pgflow.dagster_log.step_keys import is_among, node_of
from dagster_pgflow.names import is_collector
from dagster_pgflow.reports.report import StepEnd, StepFailed, StepPause
from dagster_pgflow.step_path import StepPath

Outputs = tuple[Sent, ...]


@dataclass(frozen=True)
class CompletedSteps:
    """What has been done so far.

    Attributes:
        runs: The Dagster runs that did it, oldest first.
        done: What the steps sent that are done, by their keys in Dagster.
        done_in: The run that did each.
        paused_in: The run in which a step waited last, or was held by one that did, by the step's
            key without a mapping key.
    """

    runs: tuple[str, ...]
    done: Mapping[str, Outputs]
    done_in: Mapping[str, str]
    paused_in: Mapping[str, str] = field(default_factory=dict)

    def went_ahead(self, step: str, before: str) -> bool:
        """Return whether a step is done although one before it waits, and so did not need that.

        So does a join that has enough without it, and what goes on after a failure.

        Args:
            step: The key of a step that is done.
            before: The key of a step that feeds it and is not.
        """
        paused_in = self.paused_in.get(node_of(before))
        if paused_in is None:
            return False
        return self.runs.index(self.done_in[step]) <= self.runs.index(paused_in)


def completed_in(runs: Sequence[EarlierRun]) -> CompletedSteps:
    """Return what runs have done of which each goes on with the one before.

    Args:
        runs: The runs, oldest first.
    """
    done: dict[str, Outputs] = {}
    done_in: dict[str, str] = {}
    paused_in: dict[str, str] = {}
    counts = _Counts()
    for run in runs:
        if run.executed is None:
            done = {}
        else:
            done = {key: sent for key, sent in done.items() if not is_among(key, run.executed)}
        own, paused = _done_in(run, counts)
        paused_in |= dict.fromkeys(map(node_of, paused), run.run_id)
        done |= own
        done_in |= dict.fromkeys(own, run.run_id)
    done = {key: sent for key, sent in done.items() if key not in counts.in_vain}
    return CompletedSteps(tuple(run.run_id for run in runs), done, done_in, paused_in)


def attempts_lost_in(runs: Sequence[EarlierRun]) -> Mapping[str, int]:
    """Return how many attempts of each step the processes of runs began that were lost.

    What a step had tried before in the same process counts too. What came to an end has none.

    Args:
        runs: The runs, oldest first; each goes on with the one before.
    """
    lost: dict[str, int] = {}
    for run in runs:
        begun: dict[str, int] = {}
        for run_event in run.run_events:
            key = run_event.step_key
            if run_event.kind == "started":
                begun[key] = begun.get(key, 0) + 1
            elif run_event.kind == "succeeded" or (
                run_event.kind == "failed" and not run_event.process_lost
            ):
                begun.pop(key, None)
                lost.pop(key, None)
        for key, count in begun.items():
            lost[key] = lost.get(key, 0) + count
    return lost


@dataclass
class _Counts:
    """Map steps of which so many elements may fail, and no more.

    Their ops are done whatever fails in them; only what counts the failures fails. Counting again
    would come to the same, so the elements that failed get another chance.

    Attributes:
        bearing: The step of each op that is done although elements of it failed.
        exceeded: The steps of which too many failed.
    """

    bearing: dict[str, StepPath] = field(default_factory=dict)
    exceeded: set[StepPath] = field(default_factory=set)

    @property
    def in_vain(self) -> set[str]:
        """The ops that are done and yet to be done again."""
        return {key for key, step in self.bearing.items() if step in self.exceeded}

    def note(self, run_event: RunEvent) -> None:
        """Take in what an op reports that succeeded, or failed."""
        key, report = run_event.step_key, run_event.report
        collects = is_collector(key.partition("[")[0])
        if run_event.kind == "failed":
            if collects and isinstance(report, StepFailed):
                self.exceeded.add(report.step)
            return
        self.bearing.pop(key, None)
        if not isinstance(report, StepEnd):
            return
        if collects:
            self.exceeded.discard(report.step)
        elif any(task.status == "failed" for task in report.tasks):
            self.bearing[key] = report.step


def _done_in(run: EarlierRun, counts: _Counts) -> tuple[dict[str, Outputs], set[str]]:
    """Return what the steps sent that a run executed to their ends, and which of them paused.

    What a step sent that waits, or that is held, says just that: it is to run again.
    """
    done: dict[str, Outputs] = {}
    paused: set[str] = set()
    for run_event in run.run_events:
        match run_event.kind:
            case "succeeded" if isinstance(run_event.report, StepPause):
                done.pop(run_event.step_key, None)
                paused.add(run_event.step_key)
            case "succeeded":
                counts.note(run_event)
                done[run_event.step_key] = run_event.sent
            case "failed":
                counts.note(run_event)
            case "started":
                # It begins, or begins anew: what was sent before does not count.
                done.pop(run_event.step_key, None)
            case "reported" | "child_run" | "retrying" | "skipped" | "reused":
                pass
            case "run_started" | "run_completed" | "run_failed" | "run_cancelled":
                pass
            case _:
                assert_never(run_event.kind)
    return done, paused
