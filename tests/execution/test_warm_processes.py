"""A process that executes steps of many runs, as a Celery worker does, imports a module once."""

from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.definitions.reconstruct import ReconstructableJob, ReconstructableRepository

from dagster_pgflow import Flow, FlowBuilder
from dagster_pgflow.store.catalog import Catalog
from tests.postgres import Session
from tests.run_worker import load_data

MODULE = """
import dagster as dg
from dagster_pgflow import build_definitions, build_repository

@dg.asset
def theirs() -> int:
    return 7

MINE = dg.Definitions(assets=[theirs])
SETTINGS = {{"database_url": {url!r}, "handlers": [{{"echo": lambda given: given}}]}}

{code}
"""
REPOSITORY = "defs = build_repository(**SETTINGS)"
DEFINITIONS = "defs = build_definitions(MINE, **SETTINGS)"
MERGED = 'defs = dg.Definitions.merge(MINE, build_definitions(**SETTINGS, job_prefix="x_"))'
IN_A_FUNCTION = """
@dg.definitions
def defs():
    return dg.Definitions.merge(MINE, build_definitions(**SETTINGS))
"""


class WarmProcess:
    """Asks for jobs as a worker does that is told of one step after the other."""

    def __init__(self, folder: Path, url: str, code: str) -> None:
        # What was imported from a file of this name stays; so each test has a name of its own.
        self._file = folder / f"of_{folder.name}.py"
        self._file.write_text(MODULE.format(url=url, code=code))

    def job(self, name: str, watermark: int) -> dg.JobDefinition:
        """Returns what the worker executes a step of."""
        repository: Any = ReconstructableRepository.for_file(str(self._file), "defs")
        pinned = repository.with_repository_load_data(load_data(watermark))
        sent = pinned.get_reconstructable_job(name).to_dict()
        job: dg.JobDefinition = ReconstructableJob.from_dict(sent).get_definition()
        return job


@pytest.fixture
def versions(builder: FlowBuilder, catalog: Catalog) -> tuple[int, int]:
    """The watermark before and behind an edit, and another flow that is new."""
    builder.define_flow(Flow("edited").step("a", handler="echo"))
    before = catalog.watermark()
    builder.define_flow(
        Flow("edited").step("a", handler="echo").step("b", handler="echo", depends_on="a")
    )
    builder.define_flow(Flow("new").step("c", handler="echo"))
    return before, catalog.watermark()


def steps(job: dg.JobDefinition) -> list[str]:
    ran = job.execute_in_process(run_config={"inputs": {"flow_input": 3}} if job.tags else {})
    return sorted(str(event.step_key) for event in ran.all_events if event.is_step_success)


@pytest.mark.parametrize(
    ("code", "prefix"),
    [(REPOSITORY, ""), (DEFINITIONS, ""), (IN_A_FUNCTION, "flow_")],
    ids=["repository", "definitions", "in a function"],
)
def test_each_run_gets_the_definitions_that_it_is_pinned_to(
    tmp_path: Path, database_url: str, versions: tuple[int, int], code: str, prefix: str
) -> None:
    before, behind = versions
    process = WarmProcess(tmp_path, database_url, code)
    assert steps(process.job(f"{prefix}edited", before)) == ["a"]
    assert steps(process.job(f"{prefix}edited", behind)) == ["a", "b"]
    assert steps(process.job(f"{prefix}new", behind)) == ["c"]
    assert steps(process.job(f"{prefix}edited", before)) == ["a"]
    if code != REPOSITORY:
        assert steps(process.job("__ASSET_JOB", behind)) == ["theirs"]
        assert steps(process.job(f"{prefix}new", behind)) == ["c"]


def test_definitions_that_hide_how_they_are_made_execute_no_other_version(
    tmp_path: Path, database_url: str, versions: tuple[int, int]
) -> None:
    before, behind = versions
    process = WarmProcess(tmp_path, database_url, MERGED)
    assert steps(process.job("x_edited", before)) == ["a"]
    ran = process.job("x_edited", behind).execute_in_process(
        run_config={"inputs": {"flow_input": 3}}, raise_on_error=False
    )
    [failure] = [event for event in ran.all_events if event.is_failure]
    assert not ran.success
    assert f"this run is pinned to {behind}" in str(failure)
    assert "@dagster.definitions" in str(failure)
    assert [event for event in ran.all_events if event.is_step_start] == []


@pytest.mark.parametrize("code", [REPOSITORY, IN_A_FUNCTION], ids=["repository", "in a function"])
def test_a_process_has_no_more_connections_the_more_versions_it_has_executed(  # noqa: PLR0917
    tmp_path: Path,
    database_url: str,
    builder: FlowBuilder,
    catalog: Catalog,
    sql: Session,
    code: str,
) -> None:
    process = WarmProcess(tmp_path, database_url, code)
    open_now = "select count(*) from pg_stat_activity where datname = current_database()"
    seen = []
    for number in range(4):
        last = Flow("edited").step("a", handler="echo")
        builder.define_flow(last.step(f"b{number}", handler="echo", depends_on="a"))
        name = "edited" if code == REPOSITORY else "flow_edited"
        assert steps(process.job(name, catalog.watermark())) == ["a", f"b{number}"]
        seen.append(sql.value(open_now))
    assert seen == seen[:1] * 4
