"""The code location: every flow that is stored in Postgres, as a Dagster job."""

from dagster_pgflow import build_repository
from dagster_pgflow.examples import handlers

flows = build_repository(handlers=[handlers])
