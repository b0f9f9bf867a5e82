"""`dagster-pgflow migrate`: make the schema, or bring it up to date."""

import click

from dagster_pgflow.cli.command import command_with_examples
from dagster_pgflow.cli.opened_store import opened_store
from dagster_pgflow.store.migrator import ROLE_PREFIX, make_roles, migrate, print_sql


@command_with_examples(
    "migrate",
    "migrate",
    "migrate --roles",
    'migrate --print-sql | psql "$PGFLOW_DATABASE_URL"',
)
@click.option("--print-sql", "prints_sql", is_flag=True, help="Print the SQL and change nothing.")
@click.option(
    "--roles",
    "wants_roles",
    is_flag=True,
    help="Also make the roles of readers, starters, answerers, authors and workers.",
)
@click.option(
    "--role-prefix",
    "prefix",
    default=ROLE_PREFIX,
    show_default=True,
    help="What the names of the roles begin with; all databases of a server share its roles.",
)
def command(*, prints_sql: bool, wants_roles: bool, prefix: str) -> None:
    """Make the schema, or bring it up to date.

    Any number of processes may do this at the same time: one works, the others wait.
    """
    if prints_sql:
        click.echo(print_sql(role_prefix=prefix if wants_roles else None), nl=False)
        return
    with opened_store() as database:
        applied = migrate(database)
        for migration in applied:
            click.echo(f"Applied migration {migration.version} ({migration.name}).")
        roles = make_roles(database, prefix) if wants_roles else ()
        where = database.address.shown
    click.echo(f"The pgflow schema of {where} is {'ready' if applied else 'up to date'}.")
    if roles:
        click.echo(f"The roles are {', '.join(roles)}.")
