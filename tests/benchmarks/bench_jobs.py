"""What a code location costs, by which of its flows are jobs."""

import json
import subprocess
import sys
from typing import Any

from dagster_pgflow import FlowBuilder
from dagster_pgflow.store.database import Database
from tests.benchmarks.flows import ten_step_flow
from tests.benchmarks.measure import show
from tests.postgres import Server, Session

CHOICES = ("all", "tagged")
COMPARED = 1_000
MANY = 10_000
TAGGED = 10

LOAD = """
import json, resource, sys, time
import dagster
from dagster._core.remote_representation.external_data import RepositorySnap
from dagster._serdes import serialize_value
from dagster_pgflow import build_repository

def spent():
    return time.perf_counter(), time.process_time()

before = spent()
repository = build_repository(database_url=sys.argv[1], jobs=sys.argv[2])
repository.load_all_definitions()
told = len(serialize_value(RepositorySnap.from_def(repository, defer_snapshots=True)))
after = spent()
print(json.dumps({
    "seconds": after[0] - before[0],
    "cpu": after[1] - before[1],
    "mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    "jobs": len(repository.job_names),
    "told": told,
}))
"""


def bench_jobs(server: Server) -> None:
    """Prints one line for each choice and number of flows."""
    rows = []
    with server.database() as url:
        _fill(url, COMPARED)
        by_choice = {choice: _loaded(url, choice) for choice in CHOICES}
        rows += [_row(COMPARED, choice, by_choice[choice]) for choice in CHOICES]
    with server.database() as url:
        _fill(url, MANY)
        rows.append(_row(MANY, "tagged", _loaded(url, "tagged")))
    ratio = by_choice["all"]["cpu"] / by_choice["tagged"]["cpu"]
    show(
        f"Loading a code location whose flows have ten steps, {TAGGED} of them tagged; with"
        f" {COMPARED:,} flows, all as jobs take {ratio:.0f} times the CPU",
        ["flows", "jobs", "there are", "seconds", "CPU seconds", "MB with imports"],
        rows,
    )


def _row(flows: int, choice: str, found: dict[str, Any]) -> list[str]:
    return [
        f"{flows:,}",
        choice,
        str(found["jobs"]),
        f"{found['seconds']:.2f}",
        f"{found['cpu']:.2f}",
        f"{found['mb']:.0f}",
    ]


def _fill(url: str, count: int) -> None:
    """Defines flows, most as copies of the version of one, which is all that loading reads."""
    database = Database(url)
    builder = FlowBuilder(database)
    builder.define_flow(ten_step_flow("flow_0"))
    for number in range(TAGGED):
        tagged = ten_step_flow(f"tagged_{number}")
        builder.define_flow(tagged.model_copy(update={"tags": {"job": "true"}}))
    database.close()
    session = Session(url)
    session(
        "insert into pgflow.flow_versions"
        " (flow_slug, version, definition, content_hash, subflow_versions)"
        " select slug, 1, jsonb_set(definition, '{slug}', to_jsonb(slug)), content_hash,"
        " subflow_versions from pgflow.flow_versions,"
        " lateral (select 'flow_' || number as slug from generate_series(1, %s) as number) as copy"
        " where flow_slug = 'flow_0'",
        count - TAGGED - 1,
    )
    session("analyze pgflow.flow_versions")
    session.close()


def _loaded(url: str, choice: str) -> dict[str, Any]:
    """Loads as a code server does, in a process of its own."""
    loaded = subprocess.run(
        [sys.executable, "-c", LOAD, url, choice], capture_output=True, text=True, check=True
    )
    found: dict[str, Any] = json.loads(loaded.stdout)
    return found
