"""`python -m dagster_pgflow` is `dagster-pgflow`."""

from dagster_pgflow.cli import main

main(prog_name="dagster-pgflow")
