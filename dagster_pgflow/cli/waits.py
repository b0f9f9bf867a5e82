"""What a run waits for, who may answer, and the command that does."""

import shlex
from collections.abc import Iterator
from uuid import UUID

from dagster_pgflow.cli.console import clock
from dagster_pgflow.store.run_status import RunReport, StepReport


def waits(report: RunReport) -> Iterator[str]:
    """Yield two lines for each step of a run that waits."""
    for step in report.steps:
        if step.status == "waiting":
            yield f"Waits:  {step.step_path} {waits_for(step)}"
            yield f"        {goes_on(report.run.run_id, step)}"


def waits_for(step: StepReport) -> str:
    """Return what a step waits for, and until when."""
    since = "" if step.waiting_since is None else f" since {clock(step.waiting_since)}"
    until = "" if step.due_at is None else f", until {clock(step.due_at)} at the latest"
    return f"waits for {step.waiting_for}{since}{until}"


def goes_on(run_id: UUID, step: StepReport) -> str:
    """Return what has the step go on."""
    run, path = str(run_id)[:8], shlex.quote(str(step.step_path))
    who = f" ({' or '.join(step.answerers)} may)" if step.answerers else ""
    match step.waits_as:
        case "approval":
            return f"`dagster-pgflow answer {run} {path} ANSWER` answers it{who}."
        case "wait":
            signal, key = shlex.quote(step.signal or ""), shlex.quote(step.signal_key or "")
            return f"`dagster-pgflow signal {signal} --key {key}` sends what it waits for."
        case "sleep":
            return "It goes on by itself."
        case None:
            return "That has come, and it goes on as soon as somebody takes it up."
