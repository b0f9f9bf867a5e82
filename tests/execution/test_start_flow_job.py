"""The job that starts any flow, for the launchpad."""

from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.definitions.reconstruct import ReconstructableRepository
from dagster._core.test_utils import instance_for_test

from dagster_pgflow import Flow, FlowBuilder, build_definitions, build_repository
from dagster_pgflow.errors import ConfigurationError
from dagster_pgflow.store.requests import Requests
from tests.postgres import as_role
from tests.run_worker import load_data

NAME = "pgflow__start_flow"
CODE = """
import dagster as dg
from dagster_pgflow import build_definitions, build_repository
SETTINGS = {{"database_url": {url!r}, "handlers": [{{"a": lambda given: given}}]}}
flows = {build}
"""


def config(**given: Any) -> dict[str, Any]:
    return {"ops": {"start_flow": {"config": given}}}


def failure_of(result: dg.ExecuteInProcessResult) -> str:
    [failure] = [event for event in result.all_events if event.is_step_failure]
    return str(failure.step_failure_data.error)


@pytest.fixture
def job(database_url: str, builder: FlowBuilder) -> dg.JobDefinition:
    builder.define_flow(Flow("f", input_schema={"type": "object"}).step("a"))
    url = database_url
    return build_repository(database_url=url, jobs="tagged").get_job(NAME)


@pytest.mark.parametrize("given", [{}, {"n": [1, None, "ü"]}])
def test_it_asks_for_a_run_of_the_flow_that_it_is_told(
    job: dg.JobDefinition, requests: Requests, given: Any
) -> None:
    ran = job.execute_in_process(run_config=config(flow="f", input=given))
    [pending] = requests.pending(10)
    assert ran.output_for_node("start_flow") == str(pending.run_id)
    assert requests.requested_input(str(pending.run_id)) == given


def test_without_an_input_the_flow_runs_on_its_defaults(
    job: dg.JobDefinition, requests: Requests
) -> None:
    job.execute_in_process(run_config=config(flow="f"))
    [pending] = requests.pending(10)
    assert requests.requested_input(str(pending.run_id)) == {}


def test_what_it_cannot_start_it_says(job: dg.JobDefinition, requests: Requests) -> None:
    nobody = job.execute_in_process(run_config=config(flow="nobody"), raise_on_error=False)
    assert 'There is no flow "nobody"' in failure_of(nobody)
    wrong = job.execute_in_process(run_config=config(flow="f", input=[]), raise_on_error=False)
    assert "input is array, but must be object" in failure_of(wrong)
    assert requests.pending(10) == ()


def test_a_code_location_that_may_start_nothing_says_so(
    database_url: str, requests: Requests
) -> None:
    url = as_role(database_url, "worker")
    job = build_repository(database_url=url, jobs="tagged").get_job(NAME)
    ran = job.execute_in_process(run_config=config(flow="f"), raise_on_error=False)
    assert "permission denied for function start_flow" in failure_of(ran)


def test_the_input_of_a_flow_starts_nothing_here(job: dg.JobDefinition) -> None:
    with pytest.raises(dg.DagsterInvalidConfigError):
        job.execute_in_process(run_config={"inputs": {"flow_input": {}}})


@pytest.mark.parametrize(
    "build",
    [
        "build_repository(**SETTINGS)",
        "build_definitions(dg.Definitions(), **SETTINGS)",
        "dg.Definitions.merge(dg.Definitions(), build_definitions(**SETTINGS))",
    ],
)
def test_a_run_worker_finds_it_and_reads_no_flow(
    database_url: str, builder: FlowBuilder, requests: Requests, tmp_path: Path, build: str
) -> None:
    builder.define_flow(Flow("f").step("a"))
    file = tmp_path / f"flows_of_{tmp_path.name}.py"
    file.write_text(CODE.format(url=database_url, build=build))
    repository: Any = ReconstructableRepository.for_file(str(file), "flows", str(tmp_path))
    pinned = repository.with_repository_load_data(load_data(1))
    job = pinned.get_reconstructable_job(NAME)
    assert set(job.get_repository_definition().job_names) - {"pgflow__answer"} == {NAME}
    with instance_for_test() as instance:
        ran = dg.execute_job(job, instance, run_config=config(flow="f", input=7))
        assert ran.success
    assert [requests.requested_input(str(one.run_id)) for one in requests.pending(10)] == [7]


def test_a_job_of_others_with_its_name_is_told_apart(database_url: str) -> None:
    mine = dg.Definitions(jobs=[dg.GraphDefinition(NAME, node_defs=[]).to_job()])
    with pytest.raises(ConfigurationError, match='another job "pgflow__start_flow"'):
        build_definitions(mine, database_url=database_url)
    names = build_definitions(mine, database_url=database_url, name="ours").get_repository_def()
    assert {NAME, "ours__start_flow"} <= set(names.job_names)
