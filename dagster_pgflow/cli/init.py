"""`dagster-pgflow init`: make a new project."""

import shlex
from pathlib import Path

import click

from dagster_pgflow.cli.command import command_with_examples
from dagster_pgflow.cli.console import aside
from dagster_pgflow.cli.new_project import NewProject, package_name

NEXT = """
Next:{change}
  export PGFLOW_DATA_DIR="$PWD/.pgflow"
  pip install -e '.[dev]'
  pytest
  dagster-pgflow migrate
  dagster-pgflow load flows/*
  dg dev

README.md says more."""


@command_with_examples("init", "init", "init my_flows", 'init "My shop" --name shop')
@click.argument("folder", default=".", type=click.Path(path_type=Path, file_okay=False))
@click.option("--name", help="What its Python package is called; as FOLDER is, when absent.")
def command(folder: Path, *, name: str | None) -> None:
    """Make a new project in FOLDER, which is this one when absent.

    It has a flow, its handlers, a code location, tests with mocked steps, and a README. What is in
    the folder stays as it is: if a file of the project is there already, nothing is written.
    """
    place = folder.expanduser().absolute()
    project = NewProject(place, package_name(place.resolve(), name))
    for path in project.write():
        click.echo(folder / path)
    is_here = place.resolve() == Path.cwd().resolve()
    aside(NEXT.format(change="" if is_here else f"\n  cd {shlex.quote(str(folder))}"))
