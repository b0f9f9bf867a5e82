"""`dagster-pgflow signal`: tell the steps that wait for something that it has happened."""

from datetime import timedelta
from typing import Any

import click

from dagster_pgflow.cli.command import command_with_examples
from dagster_pgflow.cli.console import as_json, in_words, print_json
from dagster_pgflow.cli.opened_store import opened_store
from dagster_pgflow.cli.run_input import read_input
from dagster_pgflow.model.defaults import UNASKED
from dagster_pgflow.store.answers import KEPT_FOR, Answers

LONGEST_S = 366 * 86_400


@command_with_examples(
    "signal",
    """signal paid --key A-1001 '{"cents": 1250}'""",
    "signal maintenance_over --all",
)
@click.argument("name")
@click.argument("payload", metavar="[PAYLOAD]", required=False, callback=read_input)
@click.option("--key", help="For which of the steps that wait for this name.")
@click.option(
    "--all", "broadcast", is_flag=True, help="Send it to all that wait; without --key, of the name."
)
@click.option(
    "--keep",
    type=click.IntRange(0, LONGEST_S),
    metavar="SECONDS",
    default=int(KEPT_FOR.total_seconds()),
    show_default=True,
    help="How long it is kept for steps that begin to wait later.",
)
@as_json
def command(
    name: str, payload: Any, key: str | None, keep: int, *, broadcast: bool, wants_json: bool
) -> None:
    """Send a signal.

    PAYLOAD is JSON, @FILE or - as for the input of `start`, and becomes the answer of the step. The
    signal goes to the step that has waited longest for this name and key. When none waits, it is
    kept for the first one that does.
    """
    if key is None and not broadcast:
        raise click.UsageError("Say with --key for which step it is, or send it to --all.")
    kept_for = timedelta(seconds=keep)
    with opened_store() as database:
        reached = Answers(database).signal(
            name,
            None if payload is UNASKED else payload,
            key=key,
            expires_in=kept_for,
            broadcast=broadcast,
        )
    if wants_json:
        print_json({"signal": name, "key": key, "steps": reached})
        return
    if reached:
        steps = "1 step" if reached == 1 else f"{reached} steps"
        click.echo(f"Signal {name} went to {steps}.")
    elif keep:
        click.echo(f"Nothing waits for signal {name} yet; it is kept for {in_words(kept_for)}.")
    else:
        click.echo(f"Nothing waits for signal {name}.")
