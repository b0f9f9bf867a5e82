"""A code location that can run the examples, and every other flow that uses their handlers."""

from dagster_pgflow import build_repository
from dagster_pgflow.examples import handlers

flows = build_repository(handlers=[handlers])
