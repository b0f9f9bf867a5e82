"""The code location of the hosts; Celery executes the steps of its runs."""

import os

from dagster_celery import celery_executor

from dagster_pgflow import build_definitions
from tests.hosts.celery_workers import celery_settings
from tests.hosts.handlers import HANDLERS, folder

defs = build_definitions(
    handlers=[HANDLERS],
    executor=celery_executor.configured(celery_settings(os.environ["PGFLOW_TEST_BROKER"])),
    spill_to=str(folder() / "spilled"),
    job_prefix="",
)
