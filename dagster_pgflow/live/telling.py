"""What the processes of a live worker say, as lines of its log."""

import logging
from dataclasses import dataclass, field
from typing import Any, assert_never

from dagster_pgflow.live.log_lines import FIELDS, OTHER_EVENT
from dagster_pgflow.live.messages import (
    Began,
    Born,
    Claiming,
    Died,
    Ended,
    Imported,
    Ready,
    Report,
    Said,
    Trouble,
    Unusable,
)

_log = logging.getLogger("dagster_pgflow.live")


@dataclass(frozen=True)
class LogLine:
    """One line of the log.

    Attributes:
        level: How grave it is, as a number of Python's logging.
        event: What it says, in a word for programs.
        text: What it says, for people.
        fields: More for programs.
    """

    level: int
    event: str
    text: str
    fields: dict[str, Any] = field(default_factory=dict)


def tell(line: LogLine, code_location: str | None = None) -> None:
    """Write a line to the log.

    Args:
        line: The line.
        code_location: The code location that it is about.
    """
    about = {} if code_location is None else {"code_location": code_location}
    shown = line.text if code_location is None else f"{code_location}: {line.text}"
    fields = {"event": line.event, **about, **line.fields}
    _log.log(line.level, "%s", shown, extra={FIELDS: fields})


class RepeatedLine:
    """Knows trouble that was told already: a database that is away is away every two seconds."""

    def __init__(self) -> None:
        self._told: str | None = None

    def is_new(self, trouble: str) -> bool:
        """Whether nobody was told since it last went well."""
        is_new = trouble != self._told
        self._told = trouble
        return is_new

    def went_well(self) -> bool:
        """Note that it went well; return whether there was trouble before."""
        had_trouble, self._told = self._told is not None, None
        return had_trouble


def line_of(report: Report, *, serves: bool) -> LogLine | None:  # noqa: PLR0911  one for each
    """Return what the log says about a report, if it says something.

    Args:
        report: What a process has said.
        serves: Whether the code location is served, by what was imported before if not by this.
    """
    match report:
        case Ready():
            return _of_import(report)
        case Unusable():
            goes_on = "\nWhat was imported before serves on." if serves else ""
            text = f"cannot be served. {report.reason}{goes_on}"
            return LogLine(logging.ERROR, "code_location_unusable", text)
        case Began():
            text = (
                f"run {shown(report)} of {report.flow_slug} started after {report.waited_s:.3f} s"
            )
            fields = {**_run(report), "waited_s": round(report.waited_s, 4)}
            return LogLine(logging.INFO, "run_started", text, fields)
        case Ended():
            return _of_end(report)
        case Trouble():
            fields = {"process_id": report.process_id}
            return LogLine(logging.WARNING, "trouble", report.reason, fields)
        case Said():
            return _of_word(report)
        case Died() if report.exit_code:
            text = f"process {report.process_id} {how_it_ended(report.exit_code)}"
            fields = {"process_id": report.process_id, "exit_code": report.exit_code}
            return LogLine(logging.WARNING, "process_died", text, fields)
        case Died() | Born() | Claiming() | Imported():
            return None
        case _:
            assert_never(report)


def _of_import(ready: Ready) -> LogLine:
    if not ready.has_flows:
        return LogLine(
            logging.INFO, "no_flows", "has no flows of dagster_pgflow; it is left to Dagster"
        )
    how = "" if ready.forks else " (its import starts threads, so each process imports it anew)"
    fields = {"seconds": round(ready.seconds, 3), "forks": ready.forks}
    text = f"is served, after {ready.seconds:.1f} s of import{how}"
    return LogLine(logging.INFO, "code_location_served", text, fields)


def _of_end(ended: Ended) -> LogLine:
    text = f"run {shown(ended)} of {ended.flow_slug}: {ended.status} after {ended.seconds:.3f} s"
    fields = {**_run(ended), "status": ended.status, "seconds": round(ended.seconds, 4)}
    return LogLine(logging.INFO, "run_ended", text, fields)


def _of_word(said: Said) -> LogLine:
    whose = "" if is_ours(said) else f"{said.logger}: "
    fields = {"process_id": said.process_id, "logger": said.logger}
    return LogLine(said.level, OTHER_EVENT, f"[{said.process_id}] {whose}{said.text}", fields)


def _run(report: Began | Ended) -> dict[str, Any]:
    return {
        "run_id": report.run_id,
        "dagster_run_id": report.dagster_run_id,
        "flow": report.flow_slug,
        "process_id": report.process_id,
    }


def is_ours(said: Said) -> bool:
    """Whether code of this package says it, and no handler."""
    return said.logger.startswith("dagster_pgflow.")


def shown(report: Began | Ended) -> str:
    """Return the id of a run as people are shown it: that of its request, if it has one."""
    return (report.run_id or report.dagster_run_id)[:8]


def how_it_ended(exit_code: int) -> str:
    """Return how a process ended, as the end of a sentence."""
    return f"was ended by signal {-exit_code}" if exit_code < 0 else f"ended with {exit_code}"
