"""The code location of the benchmark of peers: a step that says when it began."""

from dagster_pgflow import build_repository
from tests.benchmarks.noted import HANDLERS

flows = build_repository(handlers=[HANDLERS])
