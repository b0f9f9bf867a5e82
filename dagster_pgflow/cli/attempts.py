"""Failed attempts in words."""

from dagster_pgflow.cli.console import time_of_day
from dagster_pgflow.step_path import StepPath
from dagster_pgflow.store.run_status import FailedAttempt


def attempt_line(attempt: FailedAttempt) -> str:
    """Return a failed attempt as a line: where, which one, why, and what follows."""
    where = StepPath(attempt.step_path)
    if attempt.step_type == "map":
        where = where.at(attempt.task_index)
    of = "" if attempt.max_attempts is None else f" of {attempt.max_attempts}"
    why = "" if not attempt.error else f": {_first_line(attempt.error)}"
    follows = "" if attempt.next_at is None else f" (again at {time_of_day(attempt.next_at)})"
    return f"{where}: attempt {attempt.attempt}{of} failed{why}{follows}"


def _first_line(text: str) -> str:
    first, *more = text.strip().splitlines()
    return f"{first} …" if more else first
