"""`dagster-pgflow waiting`: which steps wait for a person or a signal."""

import click
from rich.console import Console

from dagster_pgflow.cli.command import command_with_examples
from dagster_pgflow.cli.completion import flow_slugs
from dagster_pgflow.cli.console import as_json, aside, clock, console, new_table, print_json
from dagster_pgflow.cli.opened_store import opened_store
from dagster_pgflow.model.answer_in_words import answer_in_words
from dagster_pgflow.store.answers import Answers, OpenWait
from dagster_pgflow.store.history import FlowHistory

LONGEST_PROMPT = 200


@command_with_examples(
    "waiting",
    "waiting",
    "waiting --flow expense",
    "waiting --json | jq '.[].prompt'",
)
@click.option(
    "--flow",
    "flow_slug",
    metavar="SLUG",
    shell_complete=flow_slugs,
    help="Only runs of this flow.",
)
@click.option(
    "--limit",
    "-n",
    type=click.IntRange(1),
    default=100,
    show_default=True,
    help="How many, of those that have waited longest.",
)
@as_json
def command(flow_slug: str | None, limit: int, *, wants_json: bool) -> None:
    """List the steps that wait for an answer or a signal.

    What has waited longest comes first. `answer` answers one; a step that awaits a signal goes on
    with `signal`, and can be answered as well.
    """
    with opened_store() as database:
        if flow_slug is not None:
            FlowHistory(database).newest_version(flow_slug)  # or there is no such flow
        found = Answers(database).open(flow_slug, limit=limit)
    if wants_json:
        print_json(found)
    else:
        print_waits(found, console())


def print_waits(waits: tuple[OpenWait, ...], out: Console) -> None:
    """Print open waits as a table, with a line that answers the first."""
    if not waits:
        out.print("Nothing waits for an answer or a signal.")
        return
    table = new_table("Run", "Flow", "Step", "Asks", "Answer", "Since", "Until")
    for one in waits:
        table.add_row(
            str(one.run_id)[:8],
            one.flow_slug,
            one.step_path,
            _asked(one),
            _answer(one),
            clock(one.waiting_since),
            clock(one.due_at),
        )
    out.print(table)
    first = waits[0]
    aside(f"`dagster-pgflow answer {str(first.run_id)[:8]} {first.step_path} ANSWER` answers one.")


def _asked(one: OpenWait) -> str:
    match one.kind:
        case "approval":
            text = one.prompt
            return text if len(text) <= LONGEST_PROMPT else f"{text[: LONGEST_PROMPT - 1]}…"
        case "wait":
            return f"signal {one.signal}, key {one.key}"


def _answer(one: OpenWait) -> str:
    who = f", by {' or '.join(one.answerers)}" if one.answerers else ""
    return f"{answer_in_words(one.answer_schema)}{who}"
