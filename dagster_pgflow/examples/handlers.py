"""Every handler of the examples, for `build_repository(handlers=[...])`."""

from dagster_pgflow.examples.ai_workflow import fetch, process, save
from dagster_pgflow.examples.measure_docs import list_files, measure, report
from dagster_pgflow.examples.order import confirm, decline, prepare
from dagster_pgflow.examples.payment import charge, receipt, validate_card

__all__ = [
    "charge",
    "confirm",
    "decline",
    "fetch",
    "list_files",
    "measure",
    "prepare",
    "process",
    "receipt",
    "report",
    "save",
    "validate_card",
]
