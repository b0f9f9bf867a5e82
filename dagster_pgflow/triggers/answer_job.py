"""The job with which a person answers steps that wait, in Dagster's launchpad.

A job's page is built when the code location is loaded, so it cannot list what waits now. A run of
this job can: launched as it is, it lists the open questions, each with the config that answers it.
With that config it answers one.
"""

from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID

import dagster as dg

from dagster_pgflow.errors import ConfigurationError, PgflowError
from dagster_pgflow.model.answer_in_words import answer_in_words
from dagster_pgflow.store.answers import Answers, OpenWait
from dagster_pgflow.store.database import Database
from dagster_pgflow.store.run_status import RunStatusReader

OP = "answer"
MOST_LISTED = 100
_LONGEST_PROMPT = 300
_CONFIG = {
    "run_id": dg.Field(str, is_required=False, description="The run; its first digits are enough."),
    "step": dg.Field(
        str,
        is_required=False,
        description="The step, as the list has it; not needed where one step of the run waits.",
    ),
    "answer": dg.Field(dg.Any, is_required=False, description="The answer, any JSON or YAML."),
    "answered_by": dg.Field(str, is_required=False, description="Your name."),
    "acting_as": dg.Field(
        str,
        is_required=False,
        description="Which of the answerers you stand for.",
    ),
}
_DESCRIPTION = f"""Answers steps that wait for a person, or for a signal.

1. Launch it as it is, without any config. Its run lists the open questions in its log and, as a
   table, in the metadata of its output.
2. Open the launchpad again, and give the run, the step and the answer:

```yaml
ops:
  {OP}:
    config:
      run_id: 3f2a91c4
      step: approve
      answer: {{approved: true}}
      answered_by: ann
```
"""


def answer_job_name(location: str) -> str:
    """Return the name of the job.

    >>> answer_job_name("pgflow")
    'pgflow__answer'
    """
    return f"{location}__answer"


def build_answer_job(location: str, database: Database) -> dg.JobDefinition:
    """Return the job.

    Args:
        location: The name of the repository.
        database: The store.
    """

    def answer(context: dg.OpExecutionContext, _: Mapping[str, Any]) -> Iterator[dg.Output[str]]:
        given = dict(context.op_config or {})
        try:
            told = _give(context, database, given) if given else ""
            found = Answers(database).open(limit=MOST_LISTED)
        except PgflowError as error:
            raise dg.Failure(description=str(error), allow_retries=False) from error
        for line in [told] if told else _lines(found):
            context.log.info(line)
        questions = dg.MetadataValue.md(_table(found))
        yield dg.Output(told, metadata={"open_questions": questions, "open": len(found)})

    name = answer_job_name(location)
    op = dg.OpDefinition(
        # No flow has an op of this name: its slug would begin with a digit.
        name=f"{name}__1",
        compute_fn=answer,
        ins={},
        outs={"result": dg.Out(str, io_manager_key=_UNKEPT)},
        config_schema=dg.Field(_CONFIG, is_required=False),
        description="Lists the open questions, or answers one, as `pgflow.answer(...)` does.",
    )
    return dg.GraphDefinition(
        name=name, node_defs=[op], dependencies={dg.NodeInvocation(op.name, OP): {}}
    ).to_job(
        description=_DESCRIPTION,
        metadata={
            "open questions": dg.MetadataValue.md(
                "Launch this job without config, or ask `select * from pgflow.v_open_waits`."
            )
        },
        resource_defs={_UNKEPT: dg.mem_io_manager},
        executor_def=dg.in_process_executor,
    )


_UNKEPT = "pgflow_unkept"
"""Nothing comes after the op, so its output is kept nowhere."""


def _give(context: dg.OpExecutionContext, database: Database, given: dict[str, Any]) -> str:
    if "run_id" not in given or "answer" not in given:
        raise ConfigurationError(
            "An answer needs a run_id and an answer; without any config this job lists what waits."
        )
    answers, run_id = Answers(database), RunStatusReader(database).find(given["run_id"])
    step = given.get("step") or _only_step(answers, run_id)
    answered = answers.answer(
        run_id,
        step,
        given["answer"],
        answered_by=given.get("answered_by") or context.run.tags.get("user") or "Dagster",
        acting_as=given.get("acting_as"),
    )
    return f'Step "{step}" of run {run_id} is answered, by {answered.answered_by}.'


def _only_step(answers: Answers, run_id: UUID) -> str:
    steps = [one.step_path for one in answers.open(run_id=run_id)]
    if len(steps) != 1:
        waits = f"these wait: {', '.join(steps)}" if steps else "no step of it waits"
        raise ConfigurationError(f"Say which step of run {run_id} it answers; {waits}.")
    return steps[0]


def _lines(found: tuple[OpenWait, ...]) -> list[str]:
    if not found:
        return ["Nothing waits for an answer."]
    return [
        f"{one.flow_slug}: {_asked(one)} Answer with run_id: {str(one.run_id)[:8]},"
        f" step: {one.step_path}, answer: {answer_in_words(one.answer_schema)}"
        for one in found
    ]


def _table(found: tuple[OpenWait, ...]) -> str:
    if not found:
        return "Nothing waits for an answer."
    rows = [
        "| run | flow | step | asks | answer | who | since | until |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for one in found:
        cells = (
            f"`{str(one.run_id)[:8]}`",
            one.flow_slug,
            f"`{one.step_path}`",
            _asked(one),
            answer_in_words(one.answer_schema),
            ", ".join(one.answerers) or "anybody",
            f"{one.waiting_since:%Y-%m-%d %H:%M}",
            "" if one.due_at is None else f"{one.due_at:%Y-%m-%d %H:%M}",
        )
        rows.append(f"| {' | '.join(_cell(cell) for cell in cells)} |")
    return "\n".join(rows)


def _cell(text: str) -> str:
    """Return a text that stays in its cell, and brings no markup of its own into it."""
    shown = " ".join(text.split())
    return shown.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("[", "\\[")


def _asked(one: OpenWait) -> str:
    match one.kind:
        case "approval":
            text = one.prompt or "May it go on?"
            return text if len(text) <= _LONGEST_PROMPT else f"{text[:_LONGEST_PROMPT]}…"
        case "wait":
            return f"Signal {one.signal} with key {one.key}."
