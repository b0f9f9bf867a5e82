"""A schedule has a cron string and a time zone that exist."""

from collections.abc import Iterator
from zoneinfo import ZoneInfo

from croniter import croniter

from dagster_pgflow.errors import Problem
from dagster_pgflow.model.flow import Flow, Schedule
from dagster_pgflow.validation.rule import KnownFlows

CRON_FIELDS = 5
CODES = frozenset({"invalid-cron", "unknown-timezone"})
"""The codes of this rule: what they name keeps a schedule from firing, not a flow from running."""


def schedules_can_fire(flow: Flow, _known: KnownFlows) -> Iterator[Problem]:
    """Check cron strings and time zones."""
    for schedule in flow.schedules:
        yield from problems_of_schedule(schedule)


def problems_of_schedule(schedule: Schedule) -> Iterator[Problem]:
    """Check one schedule's cron string and time zone."""
    path = f"schedules.{schedule.slug}"
    if len(schedule.cron.split()) != CRON_FIELDS or not croniter.is_valid(schedule.cron):
        yield Problem(
            "invalid-cron",
            f"{path}.cron",
            f'"{schedule.cron}" is no cron string of five fields, such as "0 2 * * *".',
        )
    if not _is_timezone(schedule.timezone):
        yield Problem(
            "unknown-timezone",
            f"{path}.timezone",
            f'"{schedule.timezone}" is no IANA time zone, such as "Europe/Berlin".',
        )


def _is_timezone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True
