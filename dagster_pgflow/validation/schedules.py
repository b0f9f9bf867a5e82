"""A schedule has a cron string and a time zone that exist, and times at which it starts a run."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from croniter import croniter
from croniter.croniter import CroniterBadDateError

from dagster_pgflow.errors import Problem
from dagster_pgflow.model.flow import Flow, Schedule
from dagster_pgflow.validation.rule import KnownFlows

CRON_FIELDS = 5
CODES = frozenset({"invalid-cron", "cron-never-comes", "unknown-timezone"})
"""The codes of this rule: what they name keeps a schedule from firing, not a flow from running."""

_NAMES = re.compile(
    r"\b(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|mon|tue|wed|thu|fri|sat|sun)(?=\b|l)"
)


def schedules_can_fire(flow: Flow, _known: KnownFlows) -> Iterator[Problem]:
    """Check cron strings and time zones."""
    for schedule in flow.schedules:
        yield from problems_of_schedule(schedule)


def problems_of_schedule(schedule: Schedule) -> Iterator[Problem]:
    """Check one schedule's cron string and time zone."""
    path = f"schedules.{schedule.slug}"
    if not _is_cron(schedule.cron):
        yield Problem(
            "invalid-cron",
            f"{path}.cron",
            f'"{schedule.cron}" is not a cron string of five fields, such as "0 2 * * *".',
        )
    elif not _comes(schedule.cron):
        yield Problem(
            "cron-never-comes",
            f"{path}.cron",
            f'There is no date for "{schedule.cron}", so it would never start a run; in February'
            " there is no 30th, and in April, June, September and November no 31st.",
        )
    if not _is_timezone(schedule.timezone):
        yield Problem(
            "unknown-timezone",
            f"{path}.timezone",
            f'"{schedule.timezone}" is not an IANA time zone, such as "Europe/Berlin".',
        )


def _is_cron(text: str) -> bool:
    # What croniter 6 knows beyond this (W, and H and R for times by chance), Dagster refuses or
    # would choose anew at each look.
    is_plain = re.fullmatch(r"[0-9*,/#l?\s-]+", _NAMES.sub("", text.lower())) is not None
    return is_plain and len(text.split()) == CRON_FIELDS and croniter.is_valid(text)


def _comes(cron: str) -> bool:
    # Dagster looks for the time before as well as for the next one.
    try:
        times = croniter(cron, datetime(2024, 1, 1, tzinfo=UTC))
        times.get_next()
        times.get_prev()
        times.get_prev()
    except CroniterBadDateError:
        return False
    return True


def _is_timezone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True
