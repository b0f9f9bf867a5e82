"""The code location that is killed."""

from dagster_pgflow import build_repository
from tests.chaos import handlers

flows = build_repository(handlers=[handlers])
