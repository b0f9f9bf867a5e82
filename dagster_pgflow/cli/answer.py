"""`dagster-pgflow answer`: what a step waits for."""

import json
from typing import Any
from uuid import UUID

import click

from dagster_pgflow.cli.command import command_with_examples
from dagster_pgflow.cli.console import as_json, clock, print_json
from dagster_pgflow.cli.opened_store import opened_store
from dagster_pgflow.cli.run_input import read_input
from dagster_pgflow.errors import StoreRefused
from dagster_pgflow.model.answer_in_words import takes_plain_text
from dagster_pgflow.store.answers import Answers
from dagster_pgflow.store.database import Database
from dagster_pgflow.store.run_status import RunStatusReader


@command_with_examples(
    "answer",
    """answer 3f2a91c4 approve '{"approved": true}' --by ann""",
    "answer 3f2a91c4 'order[3].comment' 'Looks good.' --by bob --as finance",
    "answer 3f2a91c4 approve @answer.json",
)
@click.argument("run_id", metavar="RUN")
@click.argument("step_path", metavar="STEP")
@click.argument("text", metavar="ANSWER")
@click.option("--by", "answered_by", metavar="NAME", help="Who answers; else the database user.")
@click.option("--as", "acting_as", metavar="NAME", help="Which of the answerers they stand for.")
@as_json
def command(
    run_id: str,
    step_path: str,
    text: str,
    answered_by: str | None,
    acting_as: str | None,
    *,
    wants_json: bool,
) -> None:
    """Answer a step that waits, so that its run goes on.

    RUN is the beginning of a run id, STEP the step as `waiting` lists it. ANSWER is JSON, @FILE or
    - as for the input of `start`; where the schema of the step asks for a text, it is that text.
    The first answer counts: whoever comes second is told who was first, with exit code 1.
    """
    with opened_store() as database:
        answers = Answers(database)
        found = _run(database, run_id)
        given = _answer(answers, found, step_path, text)
        answered = answers.answer(
            found, step_path, given, answered_by=answered_by, acting_as=acting_as
        )
    if wants_json:
        print_json({"run_id": found, "step_path": step_path, "answer": given, **vars(answered)})
        return
    click.echo(
        f"Step {step_path} of run {found} is answered, by {answered.answered_by}"
        f" at {clock(answered.answered_at)}."
    )


def _run(database: Database, beginning: str) -> UUID:
    """Return the run that is meant; of one that has no row yet, the whole id is needed."""
    try:
        return RunStatusReader(database).find(beginning)
    except StoreRefused:
        try:
            whole = UUID(beginning)
        except ValueError:
            whole = None
        if whole is None or not Answers(database).open(run_id=whole, limit=1):
            raise
        return whole


def _answer(answers: Answers, run_id: UUID, path: str, text: str) -> Any:
    open_waits = answers.open(run_id=run_id)
    schema = next((one.answer_schema for one in open_waits if one.step_path == path), None)
    is_elsewhere = text == "-" or text.startswith("@")
    if takes_plain_text(schema) and not is_elsewhere:
        return _plain_text(text)
    ctx = click.get_current_context()
    try:
        [parameter] = [one for one in ctx.command.params if one.name == "text"]
        return read_input(ctx, parameter, text)
    except click.BadParameter as error:
        if not is_elsewhere and not text.lstrip().startswith(("{", "[", '"')):
            error.message += ". Write a text in quotes, as JSON has it: '\"...\"'"  # type: ignore[misc]
        raise


def _plain_text(text: str) -> str:
    try:
        quoted = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return quoted if isinstance(quoted, str) else text
