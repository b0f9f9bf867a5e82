"""`dagster-pgflow migrate`: make the schema, or bring it up to date."""

import click

from dagster_pgflow.cli.command import command_with_examples
from dagster_pgflow.cli.opened_store import opened_store
from dagster_pgflow.store.migrator import migrate, print_sql


@command_with_examples(
    "migrate",
    "migrate",
    'migrate --print-sql | psql "$PGFLOW_DATABASE_URL"',
)
@click.option("--print-sql", "prints_sql", is_flag=True, help="Print the SQL and change nothing.")
def command(*, prints_sql: bool) -> None:
    """Make the schema, or bring it up to date.

    Any number of processes may do this at the same time: one works, the others wait.
    """
    if prints_sql:
        click.echo(print_sql(), nl=False)
        return
    with opened_store() as database:
        applied = migrate(database)
        for migration in applied:
            click.echo(f"Applied migration {migration.version} ({migration.name}).")
        where = database.address.shown
    click.echo(f"The pgflow schema of {where} is {'ready' if applied else 'up to date'}.")
