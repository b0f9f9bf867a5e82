"""`dagster-pgflow prune`: runs that ended long ago leave the tables."""

from datetime import timedelta

import click

from dagster_pgflow.cli.command import command_with_examples
from dagster_pgflow.cli.console import as_json, print_json
from dagster_pgflow.cli.flow_files import counted
from dagster_pgflow.cli.opened_store import opened_store
from dagster_pgflow.store.old_runs import OldRuns

MOST_DAYS = 36_500


@command_with_examples(
    "prune",
    "prune --older-than 90 --dry-run",
    "prune --older-than 90",
    "prune --older-than 30 --yes",
)
@click.option(
    "--older-than",
    "days",
    type=click.IntRange(1, MOST_DAYS),
    metavar="DAYS",
    required=True,
    help="Delete runs that ended more days ago.",
)
@click.option("--dry-run", is_flag=True, help="Say how many that are, and delete nothing.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@as_json
def command(days: int, *, dry_run: bool, yes: bool, wants_json: bool) -> None:
    """Delete runs that ended long ago.

    With them go their steps, events, requests and outputs in the database, and what triggers and
    webhooks made of them. Runs under way stay, and so do runs that wait, however long they do.
    Dagster keeps what it has of a run; a run_id that was used may be used again.
    """
    older_than = timedelta(days=days)
    with opened_store() as database:
        old = OldRuns(database)
        found = old.count(older_than)
        if not (dry_run or yes) and found:
            click.confirm(f"Delete {counted(found, 'run')}?", abort=True, err=True)
        deleted = 0 if dry_run else old.prune(older_than)
    if wants_json:
        print_json({"older_than_days": days, "found": found, "deleted": deleted})
    elif dry_run:
        click.echo(f"{counted(found, 'run')} ended more than {counted(days, 'day')} ago.")
    else:
        click.echo(f"{counted(deleted, 'run')} deleted.")
