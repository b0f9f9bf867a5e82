"""The steps of a run as a tree: a subflow's steps stand below its step."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from rich.table import Table

from dagster_pgflow.cli.console import duration, new_table, styled, time_of_day
from dagster_pgflow.store.run_status import RunReport, StepReport, SubrunReport

ITEMS_SHOWN: Final = 10
"""Of a longer list only the items that are not completed are shown."""

Children = Mapping[str, Sequence[StepReport]]


@dataclass(frozen=True)
class TreeLine:
    """One line of the tree.

    Attributes:
        lead: The lines that connect it to its parent.
        step: The step.
    """

    lead: str
    step: StepReport


def run_tree(report: RunReport) -> Table:
    """Return the steps of a run as a table whose first column is a tree."""
    subruns = {subrun.subrun_path: subrun for subrun in report.subruns}
    children = _by_parent(report)
    table = new_table("Step", "State", "Tasks", "Tries", "Started", "Took", "", numbers=("Took",))
    for line in tree_lines(children):
        step = line.step
        inner = children.get(step.step_path, ())
        subrun = inner[0].subrun_path if inner and not step.has_items else None
        table.add_row(
            f"{line.lead}{_name(step)}",
            styled(step.status),
            _tasks(step),
            str(step.attempts) if step.attempts > 1 else "",
            time_of_day(step.started_at),
            duration(step.started_at, step.ended_at or report.run.seen_at),
            _note(step, subruns.get(subrun or "")) or step.error_message,
        )
    return table


def tree_lines(children: Children, parent: str = "", lead: str = "") -> Iterator[TreeLine]:
    """Yield the lines below a step.

    Args:
        children: The steps by the path of the step that they belong to, in their order.
        parent: That path; empty at the top.
        lead: What stands before the lines of this level.
    """
    siblings = children.get(parent, ())
    for number, step in enumerate(siblings, 1):
        is_last = number == len(siblings)
        yield TreeLine(f"{lead}{'└─ ' if is_last else '├─ '}", step)
        yield from tree_lines(children, step.step_path, f"{lead}{'   ' if is_last else '│  '}")


def _by_parent(report: RunReport) -> dict[str, list[StepReport]]:
    completed = {run.subrun_path for run in report.subruns if run.status == "completed"}
    lists = {step.step_path: step.tasks or 0 for step in report.steps if step.has_items}
    children: dict[str, list[StepReport]] = {}
    for step in report.steps:
        parent = step.parent_path
        if lists.get(parent, 0) <= ITEMS_SHOWN or step.subrun_path not in completed:
            children.setdefault(parent, []).append(step)
    return children


def _name(step: StepReport) -> str:
    """Return the slug of a step, behind the index of its item if it has one."""
    item = step.step_path.scope.number
    return step.step_slug if item is None else f"[{item}] {step.step_slug}"


def _tasks(step: StepReport) -> str:
    if not step.is_counted:
        return ""
    failed = f", {step.tasks_failed} failed" if step.tasks_failed else ""
    return f"{step.tasks_done}/{step.tasks}{failed}"


def _note(step: StepReport, subrun: SubrunReport | None) -> str:
    if step.skip_reason is not None:
        return step.skip_reason.replace("_", " ")
    if step.waiting_for is not None:
        return f"waits for {step.waiting_for}"
    if step.next_at is not None:
        return f"goes on at {time_of_day(step.next_at)}"
    if step.iteration is not None and step.error_message is None:
        return _iterations(step)
    if subrun is None:
        return ""
    note = f"subrun {subrun.subrun_path} of flow {subrun.subflow_slug}"
    return f"{note}, run {subrun.dagster_run_id}" if subrun.dagster_run_id else note


def _iterations(loop: StepReport) -> str:
    """Return how often a loop went round, and why it ended."""
    if loop.ended_by is None:
        return f"iteration {loop.iteration} of {loop.max_iterations}"
    return f"{loop.iteration} of {loop.max_iterations} iterations, {loop.ended_by}"
