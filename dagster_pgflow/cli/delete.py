"""`dagster-pgflow delete`: a stored flow is no more."""

import click

from dagster_pgflow.cli.command import command_with_examples
from dagster_pgflow.cli.completion import slug_argument
from dagster_pgflow.cli.console import aside
from dagster_pgflow.cli.opened_store import opened_store
from dagster_pgflow.errors import StoreRefused, UnknownFlow
from dagster_pgflow.store.flows import FlowBuilder


@command_with_examples(
    "delete",
    "delete order",
    "delete order --yes",
    "delete order --force --with-runs",
)
@slug_argument("slug")
@click.option(
    "--force",
    is_flag=True,
    help="Delete it even if other flows contain it or runs of it are under way.",
)
@click.option("--with-runs", is_flag=True, help="Delete its runs that are over, too.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
def command(slug: str, *, force: bool, with_runs: bool, yes: bool) -> None:
    """Delete a stored flow, with its steps and schedules.

    Its versions stay, so that it can be brought back, and so do its runs. A flow that is in use is
    not deleted; with --force it is: runs that Dagster has begun go on, requests that it has not
    begun end as failed runs.
    """
    with opened_store() as database:
        builder = FlowBuilder(database)
        version = {flow.slug: flow.version for flow in builder.list_flows()}.get(slug)
        if version is None:
            raise UnknownFlow(slug)
        if not yes:
            what = f"flow {slug} and its runs" if with_runs else f"flow {slug}"
            click.confirm(f"Delete {what}?", abort=True, err=True)
        try:
            builder.delete_flow(slug, force=force, with_runs=with_runs)
        except StoreRefused as error:
            if force:
                raise
            raise click.ClickException(f"{error} On the command line, this is --force.") from error
    click.echo(f"{slug}: deleted")
    aside(f"`dagster-pgflow export {slug} --version {version}` still shows how it was.")
