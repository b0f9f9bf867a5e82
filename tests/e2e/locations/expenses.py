"""The code location whose Dagster ends while runs of it wait."""

from dagster_pgflow import build_repository
from tests.e2e.locations import expense_handlers

expenses = build_repository(name="expenses", handlers=[expense_handlers])
