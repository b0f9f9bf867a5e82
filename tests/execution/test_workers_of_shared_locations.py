"""Run workers of a code location that flows share with other jobs."""

from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.definitions.reconstruct import ReconstructableRepository

from dagster_pgflow import Flow, FlowBuilder, build_definitions
from dagster_pgflow.compiler.emit_job import JobEmitter
from dagster_pgflow.errors import StoreUnreachable
from dagster_pgflow.store.catalog import Catalog
from tests.execution.code_servers import failure_of, served
from tests.run_worker import load_data, pinned_to

NOWHERE = "postgresql://127.0.0.1:1/none"
LOCATION = """
import dagster as dg
from dagster_pgflow import build_definitions

@dg.asset
def theirs() -> int:
    return 7

MINE = dg.Definitions(
    assets=[theirs],
    schedules=[dg.ScheduleDefinition(name="s", job_name="stored", cron_schedule="0 0 * * *")],
)

def defs():
    return {build}
"""
SHARED = "build_definitions(MINE, database_url={url!r}, handlers=[{{'a': lambda given: given}}])"
MERGED = (
    "dg.Definitions.merge(dg.Definitions(assets=[theirs]),"
    " build_definitions(database_url={url!r}, handlers=[{{'a': lambda given: given}}]))"
)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGFLOW_DATABASE_PATIENCE", "0")


def job_in_worker(
    folder: Path, name: str, watermark: int, url: str, build: str = SHARED
) -> dg.JobDefinition:
    """Loads a job as Dagster does in a process that serves a run of it."""
    file = folder / "location.py"
    file.write_text(LOCATION.format(build=build.format(url=url)))
    repository: Any = ReconstructableRepository.for_file(str(file), "defs", str(folder))
    pinned = repository.with_repository_load_data(load_data(watermark))
    # Dagster leaves its context as it is, since such a process loads nothing else.
    with pinned_to(watermark):
        job: dg.JobDefinition = pinned.get_reconstructable_job(name).get_definition()
    return job


@pytest.mark.parametrize("build", [SHARED, MERGED], ids=["shared", "merged"])
def test_a_run_of_assets_needs_no_database_of_flows(tmp_path: Path, build: str) -> None:
    job = job_in_worker(tmp_path, "__ASSET_JOB", 7, NOWHERE, build)
    assert job.execute_in_process().output_for_node("theirs") == 7


@pytest.mark.parametrize(
    ("name", "build"), [("stored", SHARED), ("flow_stored", MERGED)], ids=["shared", "merged"]
)
def test_a_run_of_a_flow_without_its_database_says_why(
    tmp_path: Path, name: str, build: str
) -> None:
    with pytest.raises(StoreUnreachable, match=r"No PostgreSQL answers at 127\.0\.0\.1:1/none"):
        job_in_worker(tmp_path, name, 7, NOWHERE, build)


@pytest.mark.parametrize(
    ("name", "build"), [("stored", SHARED), ("flow_stored", MERGED)], ids=["shared", "merged"]
)
def test_a_run_of_a_flow_compiles_no_other(  # noqa: PLR0917
    tmp_path: Path,
    database_url: str,
    builder: FlowBuilder,
    catalog: Catalog,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    build: str,
) -> None:
    builder.define_flows([Flow("stored").step("a"), Flow("other").step("a")])
    compiled: list[str] = []
    emit = JobEmitter._emit

    def noted(self: JobEmitter, flow: Flow, tags: dict[str, str]) -> dg.JobDefinition:
        compiled.append(flow.slug)
        return emit(self, flow, tags)

    monkeypatch.setattr(JobEmitter, "_emit", noted)
    job = job_in_worker(tmp_path, name, catalog.watermark(), database_url, build)
    ran = job.execute_in_process(run_config={"inputs": {"flow_input": 3}})

    assert ran.output_for_node("a") == 3
    assert compiled == ["stored"]


def test_a_schedule_of_a_flow_that_is_not_there_keeps_no_location_from_loading(
    database_url: str,
) -> None:
    by_name = dg.ScheduleDefinition(name="s", job_name="stored", cron_schedule="0 0 * * *")
    mine = dg.Definitions(schedules=[by_name])
    for url in (NOWHERE, database_url):
        repository = build_definitions(mine, database_url=url).get_repository_def()
        assert [job.name for job in served(repository).job_refs or ()] == [
            "pgflow__answer",
            "pgflow__start_flow",
            "stored",
        ]
        assert 'There is no flow whose job is called "stored"' in failure_of(
            repository.get_job("stored")
        )


def test_a_schedule_by_name_finds_the_flow_that_is_there(
    database_url: str, builder: FlowBuilder
) -> None:
    builder.define_flow(Flow("stored").step("a"))
    by_name = dg.ScheduleDefinition(name="s", job_name="stored", cron_schedule="0 0 * * *")
    mine = dg.Definitions(schedules=[by_name])
    repository = build_definitions(mine, database_url=database_url).get_repository_def()
    assert served(repository).job_refs
    assert "stored in Postgres" in str(repository.get_job("stored").description)
